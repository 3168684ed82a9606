package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"jobgate/gateway/jobs/api/model"
)

// The same small model in both forms, written for this test from Smithy's specification of its JSON AST.
const (
	smithyVector = `{"smithy":"2.0","shapes":{
	"a.b#CreateJob":{"type":"operation","input":{"target":"a.b#CreateJobRequest"},"output":{"target":"smithy.api#Unit"},
		"errors":[{"target":"a.b#InvalidRequestException"}],"traits":{"smithy.api#http":{"method":"PUT","uri":"/jobs/{jobId}?x","code":200}}},
	"a.b#InvalidRequestException":{"type":"structure","members":{},"traits":{"smithy.api#error":"client","smithy.api#httpError":400}},
	"a.b#CreateJobRequest":{"type":"structure","traits":{"smithy.api#input":{}},"members":{
		"jobId":{"target":"a.b#JobId","traits":{"smithy.api#httpLabel":{},"smithy.api#required":{}}},
		"space":{"target":"a.b#Space","traits":{"smithy.api#httpQuery":"namespaceId"}},
		"targets":{"target":"a.b#Targets","traits":{"smithy.api#required":{}}},
		"mode":{"target":"a.b#Mode"},
		"rate":{"target":"a.b#Rate"},
		"force":{"target":"smithy.api#PrimitiveBoolean"},
		"note":{"target":"smithy.api#String","traits":{"smithy.api#length":{"max":9},"smithy.api#jsonName":"comment"}},
		"tree":{"target":"a.b#Tree"}}},
	"a.b#JobId":{"type":"string","traits":{"smithy.api#length":{"min":1,"max":64},"smithy.api#pattern":"^[a-z]+$"}},
	"a.b#Space":{"type":"string"},
	"a.b#Targets":{"type":"list","member":{"target":"a.b#Space"},"traits":{"smithy.api#length":{"min":1}}},
	"a.b#Mode":{"type":"enum","members":{"SNAPSHOT":{"target":"smithy.api#Unit","traits":{"smithy.api#enumValue":"SNAP-SHOT"}},"CONTINUOUS":{"target":"smithy.api#Unit"}}},
	"a.b#Rate":{"type":"integer","traits":{"smithy.api#range":{"min":1,"max":1000}}},
	"a.b#Tree":{"type":"structure","members":{"left":{"target":"a.b#Tree"},"at":{"target":"smithy.api#Timestamp"},"map":{"target":"a.b#Map"}}},
	"a.b#Map":{"type":"map","key":{"target":"a.b#JobId"},"value":{"target":"smithy.api#Double"}},
	"a.b#Rest":{"type":"service"}}}`

	botocoreVector = `{"operations":{"CreateJob":{"http":{"method":"PUT","requestUri":"/jobs/{jobId}"},"input":{"shape":"CreateJobRequest"},
		"errors":[{"shape":"InvalidRequestException"}]}},"shapes":{
	"InvalidRequestException":{"type":"structure","error":{"httpStatusCode":400}},
	"CreateJobRequest":{"type":"structure","required":["jobId","targets"],"members":{
		"jobId":{"shape":"JobId","location":"uri","locationName":"jobId"},"space":{"shape":"String","location":"querystring","locationName":"namespaceId"},
		"targets":{"shape":"Targets"},"mode":{"shape":"Mode"},"rate":{"shape":"Rate"},"force":{"shape":"Boolean"},"comment":{"shape":"Note"},"tree":{"shape":"Tree"}}},
	"JobId":{"type":"string","min":1,"max":64,"pattern":"[a-z]+"},"String":{"type":"string"},"Note":{"type":"string","max":9},"Boolean":{"type":"boolean"},
	"Targets":{"type":"list","member":{"shape":"String"},"min":1},"Mode":{"type":"string","enum":["CONTINUOUS","SNAP-SHOT"]},
	"Rate":{"type":"integer","min":1,"max":1000},"Time":{"type":"timestamp"},"Double":{"type":"double"},
	"Tree":{"type":"structure","members":{"left":{"shape":"Tree"},"at":{"shape":"Time"},"map":{"shape":"Map"}}},
	"Map":{"type":"map","key":{"shape":"JobId"},"value":{"shape":"Double"}}}}`
)

// Both forms of a model are equivalent, and each change in one is reported.
func TestSmithy(t *testing.T) {
	want, err := parse([]byte(botocoreVector))
	if err != nil {
		t.Fatal(err)
	}
	have := &model.Model{Operations: []*model.Operation{want["CreateJob"]}}
	f := func(old, replacement string, fresh ...string) {
		t.Helper()
		if !strings.Contains(smithyVector, old) {
			t.Fatalf("the vector has no %s", old)
		}
		aws, err := parse([]byte(strings.Replace(smithyVector, old, replacement, 1)))
		if err != nil {
			t.Fatal(err)
		}
		if got := differences(have, aws); !slices.Equal(got, fresh) {
			t.Errorf("%s: got %q, want %q", replacement, got, fresh)
		}
	}
	f("2.0", "2.0")
	f(`"type":"enum","members":{"SNAPSHOT":{"target":"smithy.api#Unit","traits":{"smithy.api#enumValue":"SNAP-SHOT"}},"CONTINUOUS":{"target":"smithy.api#Unit"}}`,
		`"type":"string","traits":{"smithy.api#enum":[{"value":"SNAP-SHOT"},{"value":"CONTINUOUS"}]}`) // Smithy 1.0
	f(`"max":64`, `"max":65`, "CreateJob in jobId: range here 1..64, AWS 1..65", "CreateJob in tree map (key): range here 1..64, AWS 1..65")
	f(`"max":1000`, `"max":999`, "CreateJob in rate: range here 1..1000, AWS 1..999")
	f(`"max":9}`, `"max":8}`, "CreateJob in comment: range here ..9, AWS ..8")
	f("^[a-z]+$", "^[0-9]+$", "CreateJob in jobId: pattern here [a-z]+, AWS ^[0-9]+$", "CreateJob in tree map (key): pattern here [a-z]+, AWS ^[0-9]+$")
	f("SNAP-SHOT", "SHOT", "CreateJob in mode: words here [CONTINUOUS SNAP-SHOT], AWS [CONTINUOUS SHOT]")
	f(`"smithy.api#httpLabel":{},"smithy.api#required":{}`, `"smithy.api#httpLabel":{}`, "CreateJob in jobId: required here true, AWS false")
	f(`"smithy.api#httpLabel":{},`, ``, `CreateJob in jobId: place here "uri", AWS ""`)
	f("namespaceId", "namespace", "CreateJob in namespace: AWS has it", "CreateJob in namespaceId: AWS does not have it")
	f(`"smithy.api#httpError":400`, `"smithy.api#httpError":409`, "CreateJob: exceptions here map[InvalidRequest:400], AWS map[InvalidRequest:409]")
	f(`"uri":"/jobs`, `"uri":"/job`, "CreateJob: here PUT /jobs/{jobId}, AWS PUT /job/{jobId}")
	f("smithy.api#Timestamp", "smithy.api#String", "CreateJob in tree at: type here timestamp, AWS string")
}

// The models of a checkout of the SDK are compared; a single module is recognised and refused.
func TestCheckout(t *testing.T) {
	f := func(file, text, want string) {
		t.Helper()
		folder := t.TempDir()
		path := filepath.Join(folder, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := checkPath(&out, folder); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want …%s…", file, err, want)
		}
	}
	const models = "codegen/sdk-codegen/aws-models/"
	f(models+"iot.json", smithyVector, "iot.json: the model differs in ")
	f(models+"iot.json", strings.Replace(smithyVector, "a.b#Space", "a.b#Nothing", 1), "shape a.b#Nothing")
	f(models+"iot-jobs-data-plane.json", `{"smithy":"2.0","shapes":{}}`, "iot-jobs-data-plane.json: the file is the model of neither")
	f("validators.go", "package iot", "a module of the SDK alone")
	f("go.mod", "module x", "not a checkout of aws-sdk-go-v2")
	if err := checkPath(&bytes.Buffer{}, filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a path that does not exist: %v", err)
	}
}
