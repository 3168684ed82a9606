// Command jobgate-clients runs a job from its creation to its deletion. The operator uses AWS's Go SDK; the device sends signed
// requests, because the Go SDK has no client for it. Failures must be the SDK's error types. See ../run.sh for the environment.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iot"
	"github.com/aws/aws-sdk-go-v2/service/iot/types"
	"github.com/aws/smithy-go"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	t := newTest()
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"things", t.things}, {"create", t.create}, {"device", t.device}, {"change", t.change}, {"templates", t.templates}, {"unauthorized", t.unauthorized}, {"end", t.end},
	} {
		if err := part.run(ctx); err != nil {
			fmt.Fprintf(os.Stderr, "go: %s: %v\n", part.name, err)
			os.Exit(1)
		}
	}
	fmt.Println("go: ok, with every exception by its type")
}

// test is one run.
type test struct {
	name   string
	client *iot.Client
	thing  string
	arn    string
	job    string // its ARN
}

func newTest() *test {
	t := &test{name: fmt.Sprintf("go-%d-%d", os.Getpid(), time.Now().Unix())}
	t.client, t.thing = newClient(os.Getenv("AWS_SECRET_ACCESS_KEY")), t.name+":1"
	return t
}

func newClient(secret string) *iot.Client {
	return iot.New(iot.Options{
		Region: os.Getenv("AWS_REGION"), BaseEndpoint: aws.String(os.Getenv("JOBGATE_ENDPOINT")), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(os.Getenv("AWS_ACCESS_KEY_ID"), secret, ""),
	})
}

// fails checks that err is of type T.
func fails[T error](what string, err error) error {
	var want T
	if !errors.As(err, &want) {
		return fmt.Errorf("%s: got %w, want %T", what, err, want)
	}
	return nil
}

func same[T comparable](what string, got, want T) error {
	if got != want {
		return fmt.Errorf("%s is %v, want %v", what, got, want)
	}
	return nil
}

func (t *test) things(ctx context.Context) error {
	made, err := t.client.CreateThing(ctx, &iot.CreateThingInput{ThingName: &t.thing, AttributePayload: &types.AttributePayload{Attributes: map[string]string{"rev": "7"}}})
	if err != nil {
		return err
	}
	t.arn = *made.ThingArn
	_, err = t.client.CreateThing(ctx, &iot.CreateThingInput{ThingName: &t.thing, ThingTypeName: aws.String("other")})
	var exists *types.ResourceAlreadyExistsException
	if !errors.As(err, &exists) || *exists.ResourceArn != t.arn {
		return fmt.Errorf("CreateThing again: %w", err)
	}
	if _, err := t.client.CreateThingGroup(ctx, &iot.CreateThingGroupInput{ThingGroupName: &t.name}); err != nil {
		return err
	}
	if _, err := t.client.AddThingToThingGroup(ctx, &iot.AddThingToThingGroupInput{ThingArn: &t.arn, ThingGroupName: &t.name}); err != nil {
		return err
	}
	members, err := t.client.ListThingsInThingGroup(ctx, &iot.ListThingsInThingGroupInput{ThingGroupName: &t.name})
	if err != nil {
		return err
	}
	_, err = t.client.CreateDynamicThingGroup(ctx, &iot.CreateDynamicThingGroupInput{ThingGroupName: aws.String("d"), QueryString: aws.String("*")})
	return errors.Join(same("members", strings.Join(members.Things, " "), t.thing), fails[*types.InvalidRequestException]("CreateDynamicThingGroup", err))
}

func (t *test) create(ctx context.Context) error {
	in := &iot.CreateJobInput{
		JobId: &t.name, Targets: []string{t.arn}, Document: aws.String(`{"operation":"reboot"}`), Description: aws.String("first"),
		TimeoutConfig:    &types.TimeoutConfig{InProgressTimeoutInMinutes: aws.Int64(60)},
		SchedulingConfig: &types.SchedulingConfig{EndTime: aws.String(time.Now().UTC().Add(48 * time.Hour).Format("2006-01-02 15:04")), EndBehavior: types.JobEndBehaviorCancel},
		Tags:             []types.Tag{{Key: aws.String("site"), Value: aws.String("a")}},
	}
	if role := os.Getenv("JOBGATE_ROLE_ARN"); role != "" {
		in.Document = aws.String(`{"url":"${aws:iot:s3-presigned-url-v2:` + os.Getenv("JOBGATE_OBJECT_URL") + `}"}`)
		in.PresignedUrlConfig = &types.PresignedUrlConfig{RoleArn: &role, ExpiresInSec: aws.Int64(300)}
	}
	made, err := t.client.CreateJob(ctx, in)
	if err != nil {
		return err
	}
	t.job = *made.JobArn
	described, err := t.client.DescribeJob(ctx, &iot.DescribeJobInput{JobId: &t.name})
	if err != nil {
		return err
	}
	document, err := t.client.GetJobDocument(ctx, &iot.GetJobDocumentInput{JobId: &t.name})
	if err != nil {
		return err
	}
	_, again := t.client.CreateJob(ctx, in)
	_, none := t.client.DescribeJob(ctx, &iot.DescribeJobInput{JobId: aws.String(t.name + "-none")})
	_, bad := t.client.CreateJob(ctx, &iot.CreateJobInput{JobId: aws.String("not/an/id"), Targets: []string{t.arn}})
	return errors.Join(
		same("status", described.Job.Status, types.JobStatusInProgress),
		same("queued", *described.Job.JobProcessDetails.NumberOfQueuedThings, 1),
		same("created a minute ago or less", time.Since(*described.Job.CreatedAt).Abs() < time.Minute, true),
		same("document", *document.Document, *in.Document),
		fails[*types.ResourceAlreadyExistsException]("CreateJob again", again),
		fails[*types.ResourceNotFoundException]("DescribeJob", none),
		fails[*types.InvalidRequestException]("CreateJob", bad),
	)
}

// device acts as the device, over HTTP.
func (t *test) device(ctx context.Context) error {
	var started struct {
		Execution struct {
			Status        string
			VersionNumber int64
			JobDocument   string
		}
	}
	if err := call(ctx, "PUT", "/things/"+t.thing+"/jobs/$next", `{"statusDetails":{"step":"download"}}`, &started); err != nil {
		return err
	}
	if os.Getenv("JOBGATE_ROLE_ARN") != "" && !strings.Contains(started.Execution.JobDocument, "X-Amz-Signature=") {
		return errors.New("the document is not signed")
	}
	execution, err := t.client.DescribeJobExecution(ctx, &iot.DescribeJobExecutionInput{ThingName: &t.thing, JobId: &t.name})
	if err != nil {
		return err
	}
	_, canceled := t.client.CancelJobExecution(ctx, &iot.CancelJobExecutionInput{ThingName: &t.thing, JobId: &t.name})
	_, version := t.client.CancelJobExecution(ctx, &iot.CancelJobExecutionInput{ThingName: &t.thing, JobId: &t.name, Force: true, ExpectedVersion: aws.Int64(9)})
	err = errors.Join(
		same("started", started.Execution.Status, "IN_PROGRESS"),
		same("details", execution.Execution.StatusDetails.DetailsMap["step"], "download"),
		same("valid", json.Valid([]byte(started.Execution.JobDocument)), true),
		fails[*types.InvalidStateTransitionException]("CancelJobExecution", canceled),
		fails[*types.VersionConflictException]("CancelJobExecution", version),
	)
	if err != nil {
		return err
	}
	var nothing struct{}
	if err := call(ctx, "POST", "/things/"+t.thing+"/jobs/"+t.name, `{"status":"SUCCEEDED","expectedVersion":2}`, &nothing); err != nil {
		return err
	}
	err = call(ctx, "POST", "/things/"+t.thing+"/jobs/"+t.name, `{"status":"FAILED"}`, &nothing)
	if err == nil || !strings.Contains(err.Error(), `InvalidStateTransitionException`) || !strings.Contains(err.Error(), `"executionState":{"status":"SUCCEEDED"`) {
		return fmt.Errorf("a second report: %w", err)
	}
	return nil
}

func (t *test) change(ctx context.Context) error {
	if err := t.completed(ctx); err != nil {
		return err
	}
	list, err := t.client.ListJobExecutionsForJob(ctx, &iot.ListJobExecutionsForJobInput{JobId: &t.name, Status: types.JobExecutionStatusSucceeded})
	if err != nil {
		return err
	}
	ofThing, err := t.client.ListJobExecutionsForThing(ctx, &iot.ListJobExecutionsForThingInput{ThingName: &t.thing})
	if err != nil {
		return err
	}
	found, err := t.listed(ctx)
	if err != nil {
		return err
	}
	if _, err := t.client.TagResource(ctx, &iot.TagResourceInput{ResourceArn: &t.job, Tags: []types.Tag{{Key: aws.String("stage"), Value: aws.String("b")}}}); err != nil {
		return err
	}
	if _, err := t.client.UntagResource(ctx, &iot.UntagResourceInput{ResourceArn: &t.job, TagKeys: []string{"site"}}); err != nil {
		return err
	}
	tags, err := t.client.ListTagsForResource(ctx, &iot.ListTagsForResourceInput{ResourceArn: &t.job})
	if err != nil {
		return err
	}
	_, updated := t.client.UpdateJob(ctx, &iot.UpdateJobInput{JobId: &t.name, Description: aws.String("late")})
	return errors.Join(
		same("executions", len(list.ExecutionSummaries), 1), same("of the thing", len(ofThing.ExecutionSummaries), 1),
		same("listed", found, true), same("tags", len(tags.Tags), 1), same("tag", *tags.Tags[0].Key, "stage"),
		fails[*types.InvalidRequestException]("UpdateJob of a job that has ended", updated),
	)
}

// completed waits until the job is completed, which the gateway decides within a second of the last report.
func (t *test) completed(ctx context.Context) error {
	for {
		described, err := t.client.DescribeJob(ctx, &iot.DescribeJobInput{JobId: &t.name})
		if err != nil || described.Job.Status == types.JobStatusCompleted {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the job is %s: %w", described.Job.Status, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// listed reports whether a listing contains the job; it reads all pages.
func (t *test) listed(ctx context.Context) (bool, error) {
	pages := iot.NewListJobsPaginator(t.client, &iot.ListJobsInput{Status: types.JobStatusCompleted, MaxResults: aws.Int32(1)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return false, err
		}
		for _, j := range page.Jobs {
			if *j.JobId == t.name {
				return true, nil
			}
		}
	}
	return false, nil
}

func (t *test) templates(ctx context.Context) error {
	in := &iot.CreateJobTemplateInput{JobTemplateId: &t.name, JobArn: &t.job, Description: aws.String("of the test")}
	if _, err := t.client.CreateJobTemplate(ctx, in); err != nil {
		return err
	}
	_, again := t.client.CreateJobTemplate(ctx, in)
	described, err := t.client.DescribeJobTemplate(ctx, &iot.DescribeJobTemplateInput{JobTemplateId: &t.name})
	if err != nil {
		return err
	}
	managed, err := t.client.ListManagedJobTemplates(ctx, &iot.ListManagedJobTemplatesInput{})
	if err != nil {
		return err
	}
	_, err = t.client.DeleteJobTemplate(ctx, &iot.DeleteJobTemplateInput{JobTemplateId: &t.name})
	return errors.Join(err, same("description", *described.Description, "of the test"), same("managed", len(managed.ManagedJobTemplates), 8),
		same("timeout", *described.TimeoutConfig.InProgressTimeoutInMinutes, 60), fails[*types.ConflictException]("CreateJobTemplate again", again))
}

func (t *test) unauthorized(ctx context.Context) error {
	_, err := newClient("wrong").ListJobs(ctx, &iot.ListJobsInput{})
	var refused smithy.APIError
	if !errors.As(err, &refused) || refused.ErrorCode() != "InvalidSignatureException" {
		return fmt.Errorf("a wrong secret: %w", err)
	}
	return nil
}

func (t *test) end(ctx context.Context) error {
	if _, err := t.client.DeleteJob(ctx, &iot.DeleteJobInput{JobId: &t.name}); err != nil {
		return err
	}
	_, gone := t.client.DescribeJob(ctx, &iot.DescribeJobInput{JobId: &t.name})
	if _, err := t.client.DeleteThing(ctx, &iot.DeleteThingInput{ThingName: &t.thing}); err != nil {
		return err
	}
	_, err := t.client.DeleteThingGroup(ctx, &iot.DeleteThingGroupInput{ThingGroupName: &t.name})
	return errors.Join(err, fails[*types.ResourceNotFoundException]("DescribeJob", gone))
}
