package operations_test

import (
	"strings"
	"testing"
	"time"

	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobs"
)

const placeholder = "${aws:iot:s3-presigned-url-v2:https://s3.us-east-1.amazonaws.com/firmware/v7.bin}"

func TestDocumentsAtCreateJob(t *testing.T) {
	f := newFixture(t)
	f.things("g", "a")
	want := func(text string, edit func(*jobs.CreateJobRequest)) {
		t.Helper()
		f.is(f.tryCreate("j", edit), jobs.ErrInvalidRequest, text)
		_, err := f.DescribeJob(bg, f.now, "j")
		f.is(err, jobs.ErrNotFound, "")
	}
	document := func(text string) func(*jobs.CreateJobRequest) {
		return func(r *jobs.CreateJobRequest) { r.Document = text }
	}
	signed := func(role string) func(*jobs.CreateJobRequest) {
		return func(r *jobs.CreateJobRequest) {
			r.Document, r.Presign = `{"url":"`+placeholder+`"}`, &jobs.PresignedURLConfig{RoleARN: role}
		}
	}
	want("Either document or documentSource is required", document(""))
	want("not valid JSON", document(`{"a":`))
	want("One or more parameters or placeholders are not terminated.", document(`{"a":"${aws:iot:s3-presigned-url:https"}`))
	want("presignedUrlConfig role ARN is required", signed(""))
	want("not one that this gateway may assume", signed("arn:aws:iam::123456789012:role/other"))
	want("limit is 32768", document(`"`+strings.Repeat("x", 32768)+`"`))
	want("not both", func(r *jobs.CreateJobRequest) { r.DocumentSource = "https://s3.amazonaws.com/b/k.json" })
	want("Cannot read the job document from documentSource https://s3.amazonaws.com/b/none.json.", func(r *jobs.CreateJobRequest) {
		r.Document, r.DocumentSource = "", "https://s3.amazonaws.com/b/none.json?X-Amz-Signature=1"
	})
	want("documentParameters can only be used with", func(r *jobs.CreateJobRequest) { r.DocumentParameters = map[string]string{"a": "b"} })
	want("software package catalog", func(r *jobs.CreateJobRequest) { r.PackageVersions = []string{"arn"} })
	want("1 to 100 targets", func(r *jobs.CreateJobRequest) { r.Targets = nil })
	want("startTime must be", func(r *jobs.CreateJobRequest) { r.Scheduling = &jobs.SchedulingConfig{StartTime: "2026-03-01 12:00"} })
	want("expiresInSec", func(r *jobs.CreateJobRequest) { r.Presign = &jobs.PresignedURLConfig{ExpiresInSec: 5} })
	f.is(f.tryCreate("j", func(r *jobs.CreateJobRequest) { r.Targets = []string{f.Names().GroupARN("none")} }), jobs.ErrNotFound, "none")
	f.ok(f.tryCreate("j", signed(downloadRole)))
}

// A byte order mark is removed from a documentSource's document.
func TestDocumentSourceWithMark(t *testing.T) {
	f := newFixture(t)
	f.things("g", "a")
	f.create("j", func(r *jobs.CreateJobRequest) {
		r.Document, r.DocumentSource = "", "https://s3.amazonaws.com/b/mark.json"
	})
	if got, err := f.JobDocument(bg, "j", false); err != nil || got != `{"from":"s3"}` {
		t.Errorf("%q %v", got, err)
	}
}

func TestDocumentOfADevice(t *testing.T) {
	f := newFixture(t)
	f.things("g", "a")
	f.create("j", func(r *jobs.CreateJobRequest) {
		r.Document = `{"say":"\"hi\""}`
		r.Presign = &jobs.PresignedURLConfig{RoleARN: downloadRole, ExpiresInSec: 300}
	})
	describe := func() jobs.Document {
		t.Helper()
		d, _, err := f.Describe(bg, jobs.DescribeExecutionRequest{Thing: "a", JobID: jobs.Next, Document: true})
		f.ok(err)
		return d.Document
	}
	d := describe()
	f.same("role and life", []any{d.RoleARN, d.Expires}, []any{downloadRole, 5 * time.Minute})
	text, err := d.Template.AppendTo([]byte(`foo`), &jobdoc.Context{})
	f.ok(err)
	f.same("escaped for a JSON string", string(text), `foo{\"say\":\"\\\"hi\\\"\"}`)
	if describe().Template != d.Template {
		t.Error("compiled twice")
	}
	f.ok(f.UpdateJob(bg, f.now, jobs.UpdateJobRequest{ID: "j", Settings: jobs.Settings{Presign: &jobs.PresignedURLConfig{RoleARN: downloadRole}}}))
	f.same("life", describe().Expires, time.Hour)
	f.is(f.UpdateJob(bg, f.now, jobs.UpdateJobRequest{ID: "j", Settings: jobs.Settings{Presign: &jobs.PresignedURLConfig{RoleARN: "arn:aws:iam::1:role/x"}}}),
		jobs.ErrInvalidRequest, "not one that")
	f.ForgetDocuments()
	if describe().Template == d.Template {
		t.Error("the compiled document is not dropped")
	}
	d2, _, err := f.Describe(bg, jobs.DescribeExecutionRequest{Thing: "a", JobID: "j"})
	f.ok(err)
	if d2.Document.Template != nil {
		t.Error("a document that was not requested is returned")
	}

	// A new job with a deleted one's ID has its own document.
	f.ok(f.DeleteJob(bg, f.now, jobs.DeleteJobRequest{ID: "j", Force: true}))
	f.pass(time.Second)
	f.create("j", func(r *jobs.CreateJobRequest) { r.Document = "7" })
	text, err = describe().Template.AppendTo(nil, &jobdoc.Context{})
	f.ok(err)
	f.same("document", string(text), "7")
}

func TestDocumentSource(t *testing.T) {
	f := newFixture(t)
	f.things("g", "a")
	f.create("j", func(r *jobs.CreateJobRequest) { r.Document, r.DocumentSource = "", "https://s3.amazonaws.com/b/k.json" })
	text, err := f.JobDocument(bg, "j", false)
	f.ok(err)
	f.same("document", text, `{"from":"s3"}`)
	d, err := f.DescribeJob(bg, f.now, "j")
	f.ok(err)
	f.same("source", d.Job.DocumentSource, "https://s3.amazonaws.com/b/k.json")
}

func TestManagedTemplate(t *testing.T) {
	f := newFixture(t)
	f.things("g", "a")
	from := func(parameters map[string]string) func(*jobs.CreateJobRequest) {
		return func(r *jobs.CreateJobRequest) {
			r.Document, r.TemplateARN = "", f.Names().ManagedTemplateARN("AWS-Download-File", "1.0")
			r.DocumentParameters = parameters
			r.Presign = &jobs.PresignedURLConfig{RoleARN: downloadRole}
		}
	}
	f.is(f.tryCreate("j", from(map[string]string{"downloadUrl": "x"})), jobs.ErrInvalidRequest, "filePath is required")
	f.is(f.tryCreate("j", from(map[string]string{"downloadUrl": "x", "filePath": "y", "z": "1"})), jobs.ErrInvalidRequest, "z is not one")
	f.is(f.tryCreate("j", func(r *jobs.CreateJobRequest) {
		from(map[string]string{"downloadUrl": "x", "filePath": "y"})(r)
		r.Document = "{}"
	}), jobs.ErrInvalidRequest, "takes the template's document")
	f.is(f.tryCreate("j", func(r *jobs.CreateJobRequest) { r.TemplateARN = f.Names().ManagedTemplateARN("AWS-Explode", "1.0") }), jobs.ErrNotFound, "AWS-Explode")
	optional := map[string]string{"downloadUrl": "x", "filePath": "y", "runAsUser": strings.Repeat("é", 257)}
	f.is(f.tryCreate("j", from(optional)), jobs.ErrInvalidRequest, "runAsUser does not match")
	optional["runAsUser"], optional["pathToHandler"] = strings.Repeat("é", 256), "/opt/handlers"
	f.ok(f.tryCreate("optional", from(optional)))
	f.ok(f.tryCreate("j", from(map[string]string{"downloadUrl": placeholder, "filePath": `C:\"x"`})))
	text, err := f.JobDocument(bg, "j", false)
	f.ok(err)
	f.same("document", text, `{"version":"1.0","steps":[{"action":{"name":"Download-File","type":"runHandler","input":{"handler":"download-file.sh","args":["`+
		placeholder+`","C:\\\"x\""],"path":""},"runAsUser":""}}]}`)
	before, err := f.JobDocument(bg, "j", true)
	f.ok(err)
	f.same("before substitution", before, `{"version":"1.0","steps":[{"action":{"name":"Download-File","type":"runHandler","input":{"handler":"download-file.sh",`+
		`"args":["${aws:iot:parameter:downloadUrl}","${aws:iot:parameter:filePath}"],"path":"${aws:iot:parameter:pathToHandler}"},"runAsUser":"${aws:iot:parameter:runAsUser}"}}]}`)
	d, _, err := f.Describe(bg, jobs.DescribeExecutionRequest{Thing: "a", JobID: "j", Document: true})
	f.ok(err)
	f.same("it signs", d.Document.Template.Signs(), true)
	j, err := f.DescribeJob(bg, f.now, "j")
	f.ok(err)
	f.same("description", j.Job.Description, "A managed job template for downloading a file.")
}

func TestTemplates(t *testing.T) {
	f := newFixture(t)
	f.things("g", "a")
	windows := []jobs.MaintenanceWindow{{StartTime: "0 14 * * ? *", DurationInMinutes: 60}}
	made, err := f.CreateTemplate(bg, f.now, jobs.CreateTemplateRequest{
		ID: "t", Document: `{"t":1}`, Description: "d", MaintenanceWindows: windows, Tags: []jobs.Tag{{Key: "k"}},
		Settings: jobs.Settings{Timeout: &jobs.TimeoutConfig{InProgressTimeoutInMinutes: 7}},
	})
	f.ok(err)
	f.same("ARN", made.ARN, "arn:aws:iot:us-east-1:123456789012:jobtemplate/t")
	_, err = f.CreateTemplate(bg, f.now, jobs.CreateTemplateRequest{ID: "t", Document: "{}"})
	f.is(err, jobs.ErrConflict, "already exists")
	_, err = f.CreateTemplate(bg, f.now, jobs.CreateTemplateRequest{ID: "u", Document: "{"})
	f.is(err, jobs.ErrInvalidRequest, "JSON")
	f.create("j", func(r *jobs.CreateJobRequest) { r.Document, r.TemplateARN = "", made.ARN })
	d, err := f.DescribeJob(bg, f.now, "j")
	f.ok(err)
	f.same("from the template", []any{d.Job.Timeout.InProgressTimeoutInMinutes, d.Job.Description, d.Job.Status, d.Job.TemplateARN},
		[]any{7, "d", jobs.JobScheduled, made.ARN})
	f.create("k", func(r *jobs.CreateJobRequest) {
		r.TemplateARN, r.Description, r.Timeout = made.ARN, "own", &jobs.TimeoutConfig{InProgressTimeoutInMinutes: 9}
	})
	text, err := f.JobDocument(bg, "k", false)
	f.ok(err)
	d, err = f.DescribeJob(bg, f.now, "k")
	f.ok(err)
	f.same("its own", []any{d.Job.Timeout.InProgressTimeoutInMinutes, d.Job.Description, text}, []any{9, "own", `{"do":"it"}`})

	copied, err := f.CreateTemplate(bg, f.now, jobs.CreateTemplateRequest{ID: "c", JobARN: f.Names().JobARN("j"), Description: "copy"})
	f.ok(err)
	f.same("from the job", []any{copied.Document, copied.Timeout.InProgressTimeoutInMinutes, copied.MaintenanceWindows}, []any{`{"t":1}`, 7, windows})
	list, _, err := f.ListTemplates(bg, jobs.Page{Limit: 9})
	f.ok(err)
	f.same("templates", []string{list[0].ID, list[1].ID}, []string{"c", "t"})
	f.ok(f.DeleteTemplate(bg, "t"))
	_, err = f.DescribeTemplate(bg, "t")
	f.is(err, jobs.ErrNotFound, "t")
	f.is(f.DeleteTemplate(bg, "t"), jobs.ErrNotFound, "t")
}

func TestTags(t *testing.T) {
	f := newFixture(t)
	f.things("g", "a")
	arn := f.Names().GroupARN("g")
	f.ok(f.TagResource(bg, arn, []jobs.Tag{{Key: "b", Value: "2"}, {Key: "a", Value: "1"}}))
	f.ok(f.UntagResource(bg, arn, []string{"b"}))
	tags, err := f.ListTags(bg, arn)
	f.ok(err)
	f.same("tags", tags, []jobs.Tag{{Key: "a", Value: "1"}})
	f.is(f.TagResource(bg, f.Names().GroupARN("none"), nil), jobs.ErrNotFound, "none")
	f.is(f.TagResource(bg, f.Names().JobARN("none"), nil), jobs.ErrNotFound, "none")
	f.is(f.TagResource(bg, f.Names().ThingARN("a"), nil), jobs.ErrInvalidRequest, "Tags are for")
	f.is(f.TagResource(bg, "x", nil), jobs.ErrInvalidRequest, "ARN")
	for kind, ok := range map[string]bool{"": true, "iot:Jobs": true, "iot:Data-ATS": true, "iot:CredentialProvider": false} {
		if _, err := f.Endpoint(kind); (err == nil) != ok {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// TestDocumentIsDropped ends jobs in every way other than a device's report. Their compiled documents must be dropped.
func TestDocumentIsDropped(t *testing.T) {
	f := newFixture(t)
	f.things("g", "a", "b")
	f.things("h", "a")
	run := func(edit func(*jobs.CreateJobRequest)) {
		t.Helper()
		f.create("j", func(r *jobs.CreateJobRequest) {
			r.Timeout = &jobs.TimeoutConfig{InProgressTimeoutInMinutes: 5}
			if edit != nil {
				edit(r)
			}
		})
		_, _, err := f.StartNext(bg, f.now, jobs.StartNextRequest{Thing: "a"})
		f.ok(err)
		f.same("compiled while it runs", f.Compiled(), 1)
	}
	dropped := func(how string) {
		t.Helper()
		f.pass(time.Minute)
		f.same("compiled "+how, f.Compiled(), 0)
		f.ok(f.DeleteJob(bg, f.now, jobs.DeleteJobRequest{ID: "j", Force: true}))
		f.pass(0)
	}
	cancel := func(force bool) {
		t.Helper()
		_, err := f.CancelJob(bg, f.now, jobs.CancelJobRequest{ID: "j", Force: force})
		f.ok(err)
	}
	run(nil)
	cancel(true)
	dropped("after a cancellation by force")
	run(nil)
	cancel(false)
	f.now = f.now.Add(5 * time.Minute)
	dropped("after the last one of a canceled job timed out")
	run(func(r *jobs.CreateJobRequest) { r.Targets = []string{f.Names().GroupARN("h")} })
	f.now = f.now.Add(5 * time.Minute)
	dropped("after all timed out")
	run(func(r *jobs.CreateJobRequest) {
		r.Targets, r.Selection = []string{f.Names().GroupARN("h")}, jobs.Continuous
		r.Scheduling = &jobs.SchedulingConfig{EndTime: f.now.Add(time.Hour).Format(jobs.TimeFormat)}
	})
	f.ok(f.DeleteGroup(bg, f.now, "h", 0))
	f.now = f.now.Add(time.Hour)
	dropped("after the end time")
}
