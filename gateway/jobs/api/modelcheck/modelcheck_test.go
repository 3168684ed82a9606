package main

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"jobgate/gateway/jobs/api/model"
)

// excerpt returns a few operations of botocore's model of iot.
func excerpt(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/iot.json")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// compare returns the differences in the excerpt's operations after replacing old in its text.
func compare(t *testing.T, old, replacement string) []string {
	t.Helper()
	text := excerpt(t)
	if !strings.Contains(text, old) {
		t.Fatalf("the excerpt has no %s", old)
	}
	aws, err := parseBotocore([]byte(strings.ReplaceAll(text, old, replacement)))
	if err != nil {
		t.Fatal(err)
	}
	all, err := model.Control()
	if err != nil {
		t.Fatal(err)
	}
	var have model.Model
	for _, op := range all.Operations {
		if aws[op.Name] != nil {
			have.Operations = append(have.Operations, op)
		}
	}
	if len(have.Operations) != 3 {
		t.Fatalf("the excerpt has %v", slices.Sorted(maps.Keys(aws)))
	}
	return differences(&have, aws)
}

// AWS's changes are reported by operation and member.
func TestDifferences(t *testing.T) {
	known := compare(t, "GetJobDocument", "GetJobDocument") // existing differences between this older copy and the API's model
	f := func(old, replacement, want string) {
		t.Helper()
		var fresh []string
		for _, d := range compare(t, old, replacement) {
			if !slices.Contains(known, d) {
				fresh = append(fresh, d)
			}
		}
		if !slices.Contains(fresh, want) {
			t.Errorf("%s: got %q, want %q", replacement, fresh, want)
		}
	}
	if want := "GetJobDocument in beforeSubstitution: AWS does not have it"; !slices.Contains(known, want) {
		t.Errorf("got %q, want %q", known, want)
	}
	f(`"max": 64`, `"max": 65`, "GetJobDocument in jobId: range here 1..64, AWS 1..65")
	f("[a-zA-Z0-9_-]+", "[a-z]+", "GetJobDocument in jobId: pattern here [a-zA-Z0-9_-]+, AWS [a-z]+")
	f(`"parentGroupName"`, `"parent"`, "CreateThingGroup in parent: AWS has it")
	f(`"parentGroupName"`, `"parent"`, "CreateThingGroup in parentGroupName: AWS does not have it")
	f(`"requestUri": "/tags"`, `"requestUri": "/tag"`, "TagResource: here POST /tags, AWS POST /tag")
	f(`"Key"`, `"Name"`, "TagResource in tags[] Key: AWS does not have it")
	f(`"type": "map"`, `"type": "string"`, "CreateThingGroup in thingGroupProperties attributePayload attributes: type here map, AWS string")
	f(`"httpStatusCode": 409`, `"httpStatusCode": 410`, "CreateThingGroup: exceptions here map[InternalFailure:500 InvalidRequest:400 ResourceAlreadyExists:409 Throttling:400], AWS map[InternalFailure:500 InvalidRequest:400 ResourceAlreadyExists:410 Throttling:400]")
	f(`"resourceArn",`, "", "TagResource in resourceArn: required here true, AWS false")
}

// A file that is not a model is refused; a model is compared with its own plane.
func TestCheck(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		var out bytes.Buffer
		if err := check(&out, []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: got %v, want …%s…", text, err, want)
		}
	}
	f("{", "cannot read the model")
	f(`{"operations":{}}`, "neither iot nor iot-jobs-data")
	f(`{"operations":{"CreateJob":{"input":{"shape":"In"}}},"shapes":{"In":{"type":"structure","members":{"a":{"shape":"B"}}}}}`, "shape B")
	var out bytes.Buffer
	data := `{"operations":{"GetPendingJobExecutions":{"http":{"method":"GET","requestUri":"/things/{thingName}/jobs"}}}}`
	if err := check(&out, []byte(data)); !errors.Is(err, errDiffers) || !strings.Contains(out.String(), "UpdateJobExecution: the file has no such operation") {
		t.Errorf("%v: %s", err, out.String())
	}
}
