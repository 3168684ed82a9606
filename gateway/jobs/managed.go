package jobs

import (
	"slices"
	"strings"
	"unicode/utf8"

	"jobgate/gateway/jobdoc"
)

// ManagedTemplate is one of AWS's own job templates (AWS.md §5).
type ManagedTemplate struct {
	Name         string
	Version      string
	Description  string
	Environments []string
	Parameters   []DocumentParameter
	Document     string
}

// DocumentParameter is a value that a managed template's document takes.
type DocumentParameter struct {
	Key         string
	Description string
	Regex       string
	Example     string
	Optional    bool
}

const managedVersion = "1.0"

// longest is how many characters AWS's patterns take, those that do not take any number. Go's regexp does not repeat
// 4096 times.
var longest = map[string]int{"(.){0,256}": 256, "(.){0,4096}": 4096}

// The parameters that AWS's templates share.
var (
	runAsUser = DocumentParameter{
		Key: "runAsUser", Regex: "(.){0,256}", Example: "user1", Optional: true,
		Description: "Execute handler as another user. If not specified, then handler is executed as the same user as device client.",
	}
	pathToHandler = DocumentParameter{
		Key: "pathToHandler", Regex: "(.){0,4096}", Example: "/path/to/handler/script", Optional: true,
		Description: "Path to handler on the device. If not specified, then device client will use the current working directory.",
	}
)

// managedTemplates are AWS's templates, by name.
var managedTemplates = []ManagedTemplate{
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

func required(key, description, example string) DocumentParameter {
	return DocumentParameter{Key: key, Description: description, Regex: "(.*?)", Example: example}
}

// handler forms a template that runs a script on the device; its own parameters are the script's arguments.
func handler(name, description, action, script string, parameters ...DocumentParameter) ManagedTemplate {
	var args string
	if len(parameters) > 0 {
		placeholders := make([]string, len(parameters))
		for i, p := range parameters {
			placeholders[i] = `"${aws:iot:parameter:` + p.Key + `}"`
		}
		args = `,"args":[` + strings.Join(placeholders, ",") + `]`
	}
	return ManagedTemplate{
		Name: name, Version: managedVersion, Description: description, Environments: []string{"LINUX"},
		Parameters: append(parameters, runAsUser, pathToHandler),
		Document: `{"version":"1.0","steps":[{"action":{"name":"` + action + `","type":"runHandler","input":{"handler":"` +
			script + `"` + args + `,"path":"${aws:iot:parameter:pathToHandler}"},"runAsUser":"${aws:iot:parameter:runAsUser}"}}]}`,
	}
}

// runCommand forms the template that runs a command on the device, without a script of its own.
func runCommand() ManagedTemplate {
	return ManagedTemplate{
		Name: "AWS-Run-Command", Version: managedVersion, Description: "A managed job template for running a shell command.",
		Environments: []string{"LINUX"},
		Parameters: []DocumentParameter{
			{Key: "command", Description: "Command to run on the device. A comma separates arguments; \\, is a comma.", Regex: "(.*?)", Example: "touch,/tmp/done"},
			runAsUser,
		},
		Document: `{"version":"1.0","steps":[{"action":{"name":"Run-Command","type":"runCommand","input":{"command":` +
			`"${aws:iot:parameter:command}"},"runAsUser":"${aws:iot:parameter:runAsUser}"}}]}`,
	}
}

// ListManagedTemplates answers ListManagedJobTemplates, by name; name "" lists all.
func (s *Service) ListManagedTemplates(name string, p Page) (list []ManagedTemplate, next string) {
	for _, t := range managedTemplates {
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

// DescribeManagedTemplate answers DescribeManagedJobTemplate; version "" is the default one.
func (s *Service) DescribeManagedTemplate(name, version string) (ManagedTemplate, error) {
	return managedTemplate(name, version)
}

func managedTemplate(name, version string) (ManagedTemplate, error) {
	i := slices.IndexFunc(managedTemplates, func(t ManagedTemplate) bool { return t.Name == name })
	if i < 0 || (version != "" && version != managedVersion) {
		return ManagedTemplate{}, Errorf(ErrNotFound, "Managed job template %s does not exist.", strings.TrimSuffix(name+":"+version, ":"))
	}
	return managedTemplates[i], nil
}

// managedTemplate returns the managed template that an ARN names, false if it names none.
func (n Names) managedTemplate(arn string) (ManagedTemplate, bool) {
	r, err := n.parse(arn)
	if err != nil || !r.managed {
		return ManagedTemplate{}, false
	}
	name, version, _ := strings.Cut(r.Name, ":")
	t, err := managedTemplate(name, version)
	return t, err == nil
}

// managedOrigin is what a managed template, named with its version, brings to the job that r asks for.
func managedOrigin(nameAndVersion string, r *CreateJobRequest) (origin, error) {
	name, version, _ := strings.Cut(nameAndVersion, ":")
	t, err := managedTemplate(name, version)
	if err != nil {
		return origin{}, err
	}
	if r.Document != "" || r.DocumentSource != "" {
		return origin{}, Errorf(ErrInvalidRequest, "A job from a managed template takes the template's document.")
	}
	if err := t.check(r.DocumentParameters); err != nil {
		return origin{}, err
	}
	document := fillParameters(t.Document, r.DocumentParameters)
	if len(jobdoc.CodeFiles([]byte(document), nil)) > len(jobdoc.CodeFiles([]byte(t.Document), nil)) {
		return origin{}, Errorf(ErrInvalidRequest, "A document parameter cannot hold a code-sign placeholder; write it into a document of your own.")
	}
	return origin{document: document, description: t.Description}, nil
}

// check says whether values are what t takes.
func (t *ManagedTemplate) check(values map[string]string) error {
	known := make(map[string]bool, len(t.Parameters))
	for _, p := range t.Parameters {
		known[p.Key] = true
		v, given := values[p.Key]
		if !given && !p.Optional {
			return Errorf(ErrInvalidRequest, "Document parameter %s is required by managed job template %s.", p.Key, t.Name)
		}
		if most, ok := longest[p.Regex]; ok && utf8.RuneCountInString(v) > most {
			return Errorf(ErrInvalidRequest, "Document parameter %s does not match %s.", p.Key, p.Regex)
		}
	}
	for key := range values {
		if !known[key] {
			return Errorf(ErrInvalidRequest, "Document parameter %s is not one of managed job template %s.", key, t.Name)
		}
	}
	return nil
}
