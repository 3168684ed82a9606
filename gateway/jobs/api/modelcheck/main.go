// Command modelcheck compares the constraints that the IoT Jobs API checks (package model) with a newer copy of AWS's model,
// and says what differs:
//
//	go run ./gateway/jobs/api/modelcheck FILE
//
// FILE is botocore's model of iot or iot-jobs-data, data/iot/2015-05-28/service-2.json of its packages (Debian's awscli has
// one under /usr/lib/python3/dist-packages/awscli/botocore). Newer ones have it as service-2.json.gz: gunzip it first.
// It exits 1 if there is a difference, one line each, "<operation or shape>: what".
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"jobgate/gateway/jobs/api/model"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: modelcheck FILE (botocore's service-2.json of iot or iot-jobs-data)")
		os.Exit(2)
	}
	text, err := os.ReadFile(os.Args[1])
	if err == nil {
		err = check(os.Stdout, text)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "modelcheck: %v\n", err)
		os.Exit(1)
	}
}

// errDiffers is returned by check when there are differences.
var errDiffers = errors.New("the model differs")

// check writes what differs between the API's model and AWS's, text.
func check(w io.Writer, text []byte) error {
	aws, err := parseBotocore(text)
	if err != nil {
		return err
	}
	have, err := planeOf(aws)
	if err != nil {
		return err
	}
	list := differences(have, aws)
	for _, d := range list {
		if _, err := fmt.Fprintln(w, d); err != nil {
			return err
		}
	}
	if len(list) > 0 {
		return fmt.Errorf("%w in %d places", errDiffers, len(list))
	}
	return nil
}

// planeOf returns the plane whose operations aws has.
func planeOf(aws map[string]*model.Operation) (*model.Model, error) {
	if aws["GetPendingJobExecutions"] != nil {
		return model.Data()
	}
	if aws["CreateJob"] == nil {
		return nil, errors.New("the file is the model of neither iot nor iot-jobs-data: it has no CreateJob and no GetPendingJobExecutions")
	}
	return model.Control()
}
