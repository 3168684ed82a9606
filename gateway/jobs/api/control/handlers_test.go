package control

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"testing"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/jobs/api/model"
	"jobgate/gateway/jobs/api/model/modeltest"
)

// Every operation has a handler, and every handler an operation.
func TestHandlersCoverTheModel(t *testing.T) {
	m, err := model.Control()
	if err != nil {
		t.Fatal(err)
	}
	own, err := model.Own()
	if err != nil {
		t.Fatal(err)
	}
	serve := handlers()
	for _, op := range slices.Concat(m.Operations, own.Operations) {
		if serve[op.Name] == nil {
			t.Errorf("%s has no handler", op.Name)
		}
		delete(serve, op.Name)
	}
	if len(serve) > 0 {
		t.Errorf("handlers without an operation: %v", reflect.ValueOf(serve).MapKeys())
	}
}

// Whatever a body holds, the input is refused with 400 or conforms to the model.
func FuzzInput(f *testing.F) {
	m, err := model.Control()
	if err != nil {
		f.Fatal(err)
	}
	op := m.Operations[0]
	if op.Name != "CreateJob" {
		f.Fatalf("the first operation is %s", op.Name)
	}
	valid, _ := json.Marshal(modeltest.Sample(&model.Shape{Kind: model.KindStructure, Members: op.Input}))
	f.Add(string(valid), "")
	f.Add(`{"targets":["a"],"abortConfig":{"criteriaList":[{"failureType":"ALL","action":"CANCEL","thresholdPercentage":1e400,"minNumberOfExecutedThings":1}]}}`, "force=true")
	f.Add(`{"targets":["a"],"tags":[{"Key":"\u0000"}],"documentParameters":{"":""}}`, "a=%zz&&=")
	f.Fuzz(func(t *testing.T, body, query string) {
		var args fasthttp.Args
		args.Parse(query)
		in, refused := op.Read(map[string]string{"jobId": "j"}, &args, []byte(body))
		if refused != nil {
			if refused.Status != http.StatusBadRequest || refused.Code != "InvalidRequest" {
				t.Errorf("%q: %v", body, refused)
			}
			return
		}
		settingsOf(in)
		schedulingOf(in)
		q := &call{operation: op, in: in}
		if !json.Valid(q.listing()[len(op.Name)+1:]) {
			t.Errorf("%q: no token can be bound to it", body)
		}
	})
}
