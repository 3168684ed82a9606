// Command modelcheck compares the constraints that the IoT Jobs API checks (package model) with a newer copy of AWS's model,
// and prints the differences:
//
//	go run ./gateway/jobs/api/modelcheck FILE|DIRECTORY
//
// DIRECTORY is a checkout of aws-sdk-go-v2, whose Smithy models of both planes are compared. A single module of it, such as
// service/iot from the module proxy, has no model: its Go code has no lengths, patterns or ranges to compare.
//
// FILE is one of these models, codegen/sdk-codegen/aws-models/iot.json or iot-jobs-data-plane.json, or botocore's model of
// iot or iot-jobs-data, data/iot/2015-05-28/service-2.json of its packages (Debian's awscli has one under
// /usr/lib/python3/dist-packages/awscli/botocore). Newer ones have it as service-2.json.gz: gunzip it first.
//
// It exits 1 if there is a difference, one line each, "<operation or shape>: what".
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"jobgate/gateway/jobs/api/model"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: modelcheck FILE|DIRECTORY (a checkout of aws-sdk-go-v2, one of its models of iot, or botocore's service-2.json of iot or iot-jobs-data)")
		os.Exit(2)
	}
	if err := checkPath(os.Stdout, os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "modelcheck: %v\n", err)
		os.Exit(1)
	}
}

// errDiffers is returned by check when there are differences.
var errDiffers = errors.New("the model differs")

// checkPath checks a file, or the models in a checkout of aws-sdk-go-v2.
func checkPath(w io.Writer, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	files := []string{path}
	if info.IsDir() {
		if files, err = modelsIn(path); err != nil {
			return err
		}
	}
	for _, file := range files {
		text, readErr := os.ReadFile(file)
		if readErr == nil {
			readErr = check(w, text)
		}
		if readErr != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", file, readErr))
		}
	}
	return err
}

// modelsIn returns the paths of iot's models in a checkout of aws-sdk-go-v2.
func modelsIn(checkout string) ([]string, error) {
	const folder = "codegen/sdk-codegen/aws-models"
	var files []string
	for _, name := range []string{"iot.json", "iot-jobs-data-plane.json"} {
		if file := filepath.Join(checkout, folder, name); isFile(file) {
			files = append(files, file)
		}
	}
	switch {
	case len(files) > 0:
		return files, nil
	case isFile(filepath.Join(checkout, "validators.go")):
		return nil, fmt.Errorf("%q is a module of the SDK alone: its Go code checks only which members are required, and holds no lengths, patterns or ranges; use a checkout of the aws-sdk-go-v2 repository, which has the models under %s", checkout, folder)
	}
	return nil, fmt.Errorf("%q has no %s/iot.json: it is not a checkout of aws-sdk-go-v2", checkout, folder)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// parse reads a model in either form.
func parse(text []byte) (map[string]*model.Operation, error) {
	if isSmithy(text) {
		return parseSmithy(text)
	}
	return parseBotocore(text)
}

// check writes the differences between the API's model and AWS's, given as text.
func check(w io.Writer, text []byte) error {
	aws, err := parse(text)
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

// planeOf returns our model of the plane with aws's operations.
func planeOf(aws map[string]*model.Operation) (*model.Model, error) {
	if aws["GetPendingJobExecutions"] != nil {
		return model.Data()
	}
	if aws["CreateJob"] == nil {
		return nil, errors.New("the file is the model of neither iot nor iot-jobs-data: it has no CreateJob and no GetPendingJobExecutions")
	}
	return model.Control()
}
