// Command jobgate-clients runs a job's whole life with AWS's Go SDK as the operator and signed requests as the device, for
// which the Go SDK has no client; see ../run.sh for the environment. It asserts failures as the SDK's error types.
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
	l := newLife()
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"things", l.things}, {"create", l.create}, {"device", l.device}, {"change", l.change}, {"templates", l.templates}, {"strangers", l.strangers}, {"end", l.end},
	} {
		if err := part.run(ctx); err != nil {
			fmt.Fprintf(os.Stderr, "go: %s: %v\n", part.name, err)
			os.Exit(1)
		}
	}
	fmt.Println("go: a whole life, and every exception by its type")
}

// life is one run.
type life struct {
	name   string
	client *iot.Client
	thing  string
	arn    string
	job    string // its ARN
}

func newLife() *life {
	l := &life{name: fmt.Sprintf("go-%d-%d", os.Getpid(), time.Now().Unix())}
	l.client, l.thing = newClient(os.Getenv("AWS_SECRET_ACCESS_KEY")), l.name+":1"
	return l
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

func (l *life) things(ctx context.Context) error {
	made, err := l.client.CreateThing(ctx, &iot.CreateThingInput{ThingName: &l.thing, AttributePayload: &types.AttributePayload{Attributes: map[string]string{"rev": "7"}}})
	if err != nil {
		return err
	}
	l.arn = *made.ThingArn
	_, err = l.client.CreateThing(ctx, &iot.CreateThingInput{ThingName: &l.thing, ThingTypeName: aws.String("other")})
	var exists *types.ResourceAlreadyExistsException
	if !errors.As(err, &exists) || *exists.ResourceArn != l.arn {
		return fmt.Errorf("CreateThing again: %w", err)
	}
	if _, err := l.client.CreateThingGroup(ctx, &iot.CreateThingGroupInput{ThingGroupName: &l.name}); err != nil {
		return err
	}
	if _, err := l.client.AddThingToThingGroup(ctx, &iot.AddThingToThingGroupInput{ThingArn: &l.arn, ThingGroupName: &l.name}); err != nil {
		return err
	}
	members, err := l.client.ListThingsInThingGroup(ctx, &iot.ListThingsInThingGroupInput{ThingGroupName: &l.name})
	if err != nil {
		return err
	}
	_, err = l.client.CreateDynamicThingGroup(ctx, &iot.CreateDynamicThingGroupInput{ThingGroupName: aws.String("d"), QueryString: aws.String("*")})
	return errors.Join(same("members", strings.Join(members.Things, " "), l.thing), fails[*types.InvalidRequestException]("CreateDynamicThingGroup", err))
}

func (l *life) create(ctx context.Context) error {
	in := &iot.CreateJobInput{
		JobId: &l.name, Targets: []string{l.arn}, Document: aws.String(`{"operation":"reboot"}`), Description: aws.String("first"),
		TimeoutConfig:    &types.TimeoutConfig{InProgressTimeoutInMinutes: aws.Int64(60)},
		SchedulingConfig: &types.SchedulingConfig{EndTime: aws.String(time.Now().UTC().Add(48 * time.Hour).Format("2006-01-02 15:04")), EndBehavior: types.JobEndBehaviorCancel},
		Tags:             []types.Tag{{Key: aws.String("site"), Value: aws.String("a")}},
	}
	if role := os.Getenv("JOBGATE_ROLE_ARN"); role != "" {
		in.Document = aws.String(`{"url":"${aws:iot:s3-presigned-url-v2:` + os.Getenv("JOBGATE_OBJECT_URL") + `}"}`)
		in.PresignedUrlConfig = &types.PresignedUrlConfig{RoleArn: &role, ExpiresInSec: aws.Int64(300)}
	}
	made, err := l.client.CreateJob(ctx, in)
	if err != nil {
		return err
	}
	l.job = *made.JobArn
	described, err := l.client.DescribeJob(ctx, &iot.DescribeJobInput{JobId: &l.name})
	if err != nil {
		return err
	}
	document, err := l.client.GetJobDocument(ctx, &iot.GetJobDocumentInput{JobId: &l.name})
	if err != nil {
		return err
	}
	_, again := l.client.CreateJob(ctx, in)
	_, none := l.client.DescribeJob(ctx, &iot.DescribeJobInput{JobId: aws.String(l.name + "-none")})
	_, bad := l.client.CreateJob(ctx, &iot.CreateJobInput{JobId: aws.String("not/an/id"), Targets: []string{l.arn}})
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

// device is the device's part, over HTTP.
func (l *life) device(ctx context.Context) error {
	var started struct {
		Execution struct {
			Status        string
			VersionNumber int64
			JobDocument   string
		}
	}
	if err := call(ctx, "PUT", "/things/"+l.thing+"/jobs/$next", `{"statusDetails":{"step":"download"}}`, &started); err != nil {
		return err
	}
	if os.Getenv("JOBGATE_ROLE_ARN") != "" && !strings.Contains(started.Execution.JobDocument, "X-Amz-Signature=") {
		return errors.New("the document is not signed")
	}
	execution, err := l.client.DescribeJobExecution(ctx, &iot.DescribeJobExecutionInput{ThingName: &l.thing, JobId: &l.name})
	if err != nil {
		return err
	}
	_, canceled := l.client.CancelJobExecution(ctx, &iot.CancelJobExecutionInput{ThingName: &l.thing, JobId: &l.name})
	_, version := l.client.CancelJobExecution(ctx, &iot.CancelJobExecutionInput{ThingName: &l.thing, JobId: &l.name, Force: true, ExpectedVersion: aws.Int64(9)})
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
	if err := call(ctx, "POST", "/things/"+l.thing+"/jobs/"+l.name, `{"status":"SUCCEEDED","expectedVersion":2}`, &nothing); err != nil {
		return err
	}
	err = call(ctx, "POST", "/things/"+l.thing+"/jobs/"+l.name, `{"status":"FAILED"}`, &nothing)
	if err == nil || !strings.Contains(err.Error(), `InvalidStateTransitionException`) || !strings.Contains(err.Error(), `"executionState":{"status":"SUCCEEDED"`) {
		return fmt.Errorf("a second report: %w", err)
	}
	return nil
}

func (l *life) change(ctx context.Context) error {
	if err := l.completed(ctx); err != nil {
		return err
	}
	list, err := l.client.ListJobExecutionsForJob(ctx, &iot.ListJobExecutionsForJobInput{JobId: &l.name, Status: types.JobExecutionStatusSucceeded})
	if err != nil {
		return err
	}
	ofThing, err := l.client.ListJobExecutionsForThing(ctx, &iot.ListJobExecutionsForThingInput{ThingName: &l.thing})
	if err != nil {
		return err
	}
	found, err := l.listed(ctx)
	if err != nil {
		return err
	}
	if _, err := l.client.TagResource(ctx, &iot.TagResourceInput{ResourceArn: &l.job, Tags: []types.Tag{{Key: aws.String("stage"), Value: aws.String("b")}}}); err != nil {
		return err
	}
	if _, err := l.client.UntagResource(ctx, &iot.UntagResourceInput{ResourceArn: &l.job, TagKeys: []string{"site"}}); err != nil {
		return err
	}
	tags, err := l.client.ListTagsForResource(ctx, &iot.ListTagsForResourceInput{ResourceArn: &l.job})
	if err != nil {
		return err
	}
	_, updated := l.client.UpdateJob(ctx, &iot.UpdateJobInput{JobId: &l.name, Description: aws.String("late")})
	return errors.Join(
		same("executions", len(list.ExecutionSummaries), 1), same("of the thing", len(ofThing.ExecutionSummaries), 1),
		same("listed", found, true), same("tags", len(tags.Tags), 1), same("tag", *tags.Tags[0].Key, "stage"),
		fails[*types.InvalidRequestException]("UpdateJob of one that has ended", updated),
	)
}

// completed waits until the job is completed, which the gateway decides within a second of the last report.
func (l *life) completed(ctx context.Context) error {
	for {
		described, err := l.client.DescribeJob(ctx, &iot.DescribeJobInput{JobId: &l.name})
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
func (l *life) listed(ctx context.Context) (bool, error) {
	pages := iot.NewListJobsPaginator(l.client, &iot.ListJobsInput{Status: types.JobStatusCompleted, MaxResults: aws.Int32(1)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return false, err
		}
		for _, j := range page.Jobs {
			if *j.JobId == l.name {
				return true, nil
			}
		}
	}
	return false, nil
}

func (l *life) templates(ctx context.Context) error {
	in := &iot.CreateJobTemplateInput{JobTemplateId: &l.name, JobArn: &l.job, Description: aws.String("of the test")}
	if _, err := l.client.CreateJobTemplate(ctx, in); err != nil {
		return err
	}
	_, again := l.client.CreateJobTemplate(ctx, in)
	described, err := l.client.DescribeJobTemplate(ctx, &iot.DescribeJobTemplateInput{JobTemplateId: &l.name})
	if err != nil {
		return err
	}
	managed, err := l.client.ListManagedJobTemplates(ctx, &iot.ListManagedJobTemplatesInput{})
	if err != nil {
		return err
	}
	_, err = l.client.DeleteJobTemplate(ctx, &iot.DeleteJobTemplateInput{JobTemplateId: &l.name})
	return errors.Join(err, same("description", *described.Description, "of the test"), same("managed", len(managed.ManagedJobTemplates), 8),
		same("timeout", *described.TimeoutConfig.InProgressTimeoutInMinutes, 60), fails[*types.ConflictException]("CreateJobTemplate again", again))
}

func (l *life) strangers(ctx context.Context) error {
	_, err := newClient("wrong").ListJobs(ctx, &iot.ListJobsInput{})
	var refused smithy.APIError
	if !errors.As(err, &refused) || refused.ErrorCode() != "InvalidSignatureException" {
		return fmt.Errorf("a wrong secret: %w", err)
	}
	return nil
}

func (l *life) end(ctx context.Context) error {
	if _, err := l.client.DeleteJob(ctx, &iot.DeleteJobInput{JobId: &l.name}); err != nil {
		return err
	}
	_, gone := l.client.DescribeJob(ctx, &iot.DescribeJobInput{JobId: &l.name})
	if _, err := l.client.DeleteThing(ctx, &iot.DeleteThingInput{ThingName: &l.thing}); err != nil {
		return err
	}
	_, err := l.client.DeleteThingGroup(ctx, &iot.DeleteThingGroupInput{ThingGroupName: &l.name})
	return errors.Join(err, fails[*types.ResourceNotFoundException]("DescribeJob", gone))
}
