// Package managed holds AWS's own job templates (AWS.md §5) and fills in their documents with the values of their parameters.
package managed

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobs"
)

// Template is one of AWS's own job templates (AWS.md §5).
type Template struct {
	Name         string
	Version      string
	Description  string
	Environments []string
	Parameters   []Parameter
	Document     string
}

// Parameter is a parameter of a managed template's document.
type Parameter struct {
	Key         string
	Description string
	Regex       string
	Example     string
	Optional    bool
}

const version = "1.0"

// longest is the longest value that AWS's bounded patterns allow, in characters. Go's regexp cannot repeat 4096 times.
var longest = map[string]int{"(.){0,256}": 256, "(.){0,4096}": 4096}

// The parameters that AWS's templates share.
var (
	runAsUser = Parameter{
		Key: "runAsUser", Regex: "(.){0,256}", Example: "user1", Optional: true,
		Description: "Execute handler as another user. If not specified, then handler is executed as the same user as device client.",
	}
	pathToHandler = Parameter{
		Key: "pathToHandler", Regex: "(.){0,4096}", Example: "/path/to/handler/script", Optional: true,
		Description: "Path to handler on the device. If not specified, then device client will use the current working directory.",
	}
)

// templates are AWS's templates, by name.
var templates = []Template{
	handler("AWS-Download-File", "A managed job template for downloading a file.", "Download-File", "download-file.sh",
		required("downloadUrl", "URL of file to download.", "http://www.example.com/index.html"),
		required("filePath", "Path on the device where downloaded file is written.", "/path/to/file")),
	handler("AWS-Install-Application", "A managed job template for installing one or more applications.",
		"Install-Application", "install-packages.sh",
		required("packages", "Space separated list of applications to install.", "application1 application2")),
	handler("AWS-Reboot", "A managed job template for rebooting the device.", "Reboot", "reboot.sh"),
	handler("AWS-Remove-Application", "A managed job template for uninstalling one or more applications.",
		"Remove-Application", "remove-packages.sh",
		required("packages", "Space separated list of applications to uninstall.", "application1 application2")),
	handler("AWS-Restart-Application", "A managed job template for restarting one or more system services.",
		"Restart-Application", "restart-services.sh",
		required("services", "Space separated list of services to restart.", "service1 service2")),
	runCommand(),
	handler("AWS-Start-Application", "A managed job template for starting one or more system services.",
		"Start-Application", "start-services.sh",
		required("services", "Space separated list of services to start.", "service1 service2")),
	handler("AWS-Stop-Application", "A managed job template for stopping one or more system services.",
		"Stop-Application", "stop-services.sh",
		required("services", "Space separated list of services to stop.", "service1 service2")),
}

func required(key, description, example string) Parameter {
	return Parameter{Key: key, Description: description, Regex: "(.*?)", Example: example}
}

// handler returns a template that runs a script on the device; its own parameters are the script's arguments.
func handler(name, description, action, script string, parameters ...Parameter) Template {
	var args string
	if len(parameters) > 0 {
		placeholders := make([]string, len(parameters))
		for i, p := range parameters {
			placeholders[i] = `"${aws:iot:parameter:` + p.Key + `}"`
		}
		args = `,"args":[` + strings.Join(placeholders, ",") + `]`
	}
	return Template{
		Name: name, Version: version, Description: description, Environments: []string{"LINUX"},
		Parameters: append(parameters, runAsUser, pathToHandler),
		Document: `{"version":"1.0","steps":[{"action":{"name":"` + action + `","type":"runHandler","input":{"handler":"` +
			script + `"` + args + `,"path":"${aws:iot:parameter:pathToHandler}"},"runAsUser":"${aws:iot:parameter:runAsUser}"}}]}`,
	}
}

// runCommand returns the template that runs a command on the device, without a script.
func runCommand() Template {
	return Template{
		Name: "AWS-Run-Command", Version: version, Description: "A managed job template for running a shell command.",
		Environments: []string{"LINUX"},
		Parameters: []Parameter{
			{Key: "command", Description: "Command to run on the device. A comma separates arguments; \\, is a comma.", Regex: "(.*?)", Example: "touch,/tmp/done"},
			runAsUser,
		},
		Document: `{"version":"1.0","steps":[{"action":{"name":"Run-Command","type":"runCommand","input":{"command":` +
			`"${aws:iot:parameter:command}"},"runAsUser":"${aws:iot:parameter:runAsUser}"}}]}`,
	}
}

// List returns the templates of that name, or with "" all, by name.
func List(name string, p jobs.Page) (list []Template, next string) {
	for _, t := range templates {
		if (name != "" && t.Name != name) || t.Name <= p.After {
			continue
		}
		if len(list) == p.Limit {
			return list, list[len(list)-1].Name
		}
		list = append(list, t)
	}
	return list, ""
}

// Find returns a version of a template, its default version for ""; ErrNotFound if there is none.
func Find(name, of string) (*Template, error) {
	i := slices.IndexFunc(templates, func(t Template) bool { return t.Name == name })
	if i < 0 || (of != "" && of != version) {
		return nil, jobs.Errorf(jobs.ErrNotFound, "Managed job template %s does not exist.", strings.TrimSuffix(name+":"+of, ":"))
	}
	return &templates[i], nil
}

// FindVersion is Find for a name as in an ARN, with the version after a colon.
func FindVersion(nameAndVersion string) (*Template, error) {
	name, of, _ := strings.Cut(nameAndVersion, ":")
	return Find(name, of)
}

// Fill returns a job's document with the values of its parameters filled in. That happens once, at CreateJob: devices and
// GetJobDocument see the result. A value may contain placeholders, but not one for a code signature.
func (t *Template) Fill(values map[string]string) (string, error) {
	if err := t.check(values); err != nil {
		return "", err
	}
	document := parameterPlaceholder.ReplaceAllStringFunc(t.Document, func(placeholder string) string {
		name := parameterPlaceholder.FindStringSubmatch(placeholder)[1]
		return jsonText(values[name])
	})
	if len(jobdoc.CodeFiles([]byte(document), nil)) > len(jobdoc.CodeFiles([]byte(t.Document), nil)) {
		return "", jobs.Errorf(jobs.ErrInvalidRequest, "A document parameter cannot hold a code-sign placeholder; write it into a document of your own.")
	}
	return document, nil
}

// check validates the values of t's parameters.
func (t *Template) check(values map[string]string) error {
	known := make(map[string]bool, len(t.Parameters))
	for _, p := range t.Parameters {
		known[p.Key] = true
		v, given := values[p.Key]
		if !given && !p.Optional {
			return jobs.Errorf(jobs.ErrInvalidRequest, "Document parameter %s is required by managed job template %s.", p.Key, t.Name)
		}
		if most, ok := longest[p.Regex]; ok && utf8.RuneCountInString(v) > most {
			return jobs.Errorf(jobs.ErrInvalidRequest, "Document parameter %s does not match %s.", p.Key, p.Regex)
		}
	}
	for key := range values {
		if !known[key] {
			return jobs.Errorf(jobs.ErrInvalidRequest, "Document parameter %s is not one of managed job template %s.", key, t.Name)
		}
	}
	return nil
}

// parameterPlaceholder is ${aws:iot:parameter:NAME}.
var parameterPlaceholder = regexp.MustCompile(`\$\{aws:iot:parameter:([a-zA-Z0-9_-]{1,128})\}`)

// jsonText returns s escaped for use inside the quotes of a JSON string.
func jsonText(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil { // a string always encodes
		return ""
	}
	return strings.TrimSuffix(strings.TrimPrefix(b.String(), `"`), "\"\n")
}
