package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"jobgate/gateway/jobs/api/access"
)

// The demo's job, whose document has a placeholder, and the values in the commands that create it.
const (
	update         = "update-1"
	mqttUpdate     = "update-2"
	roleARN        = "arn:aws:iam::123456789012:role/download"
	target         = "arn:aws:iot:us-east-1:000000000000:thing/" + thing
	updateDocument = `{"operation":"install","url":"${aws:iot:s3-presigned-url-v2:https://s3.us-east-1.amazonaws.com/firmware/` + firmwareName + `}"}`
)

// jobLines are the AWS CLI commands that take a job from creation to completion.
const jobLines = `4. The same as an IoT job, with the AWS CLI. As the operator, create it:

     EXPORT
     aws --endpoint-url CONTROL iot create-thing --thing-name THING
     aws --endpoint-url CONTROL iot create-job --job-id JOB --targets TARGET \
       --presigned-url-config roleArn=ROLE \
       --document 'DOCUMENT'

5. As the device, ask for the next job, download its file, and report:

     aws --endpoint-url GATEWAY iot-jobs-data describe-job-execution --thing-name THING --job-id '$next' \
       --query execution.jobDocument --output text | tee JOB.json
     curl -s "$(sed 's/.*"url":"\([^"]*\)".*/\1/' JOB.json)" -o FIRMWARE -w '%{http_code}, %{size_download} bytes\n'
     aws --endpoint-url GATEWAY iot-jobs-data update-job-execution --thing-name THING --job-id JOB --status SUCCEEDED

6. The job is complete:

     aws --endpoint-url CONTROL iot describe-job --job-id JOB --query job.status

7. A device that speaks MQTT waits to be notified of a job (its client id is its name, so one client at a time):

     mosquitto_sub CLIENT -C 1 -t '$aws/things/THING/jobs/notify-next' >notice.json & sleep 1
     aws --endpoint-url CONTROL iot create-job --job-id MJOB --targets TARGET \
       --presigned-url-config roleArn=ROLE \
       --document 'DOCUMENT'
     wait; cat notice.json
     mosquitto_rr CLIENT -t '$aws/things/THING/jobs/start-next' -e '$aws/things/THING/jobs/start-next/accepted' -m '{}'
     mosquitto_pub CLIENT -t '$aws/things/THING/jobs/MJOB/update' -m '{"status":"SUCCEEDED"}'
     aws --endpoint-url CONTROL iot describe-job --job-id MJOB --query job.status
`

// lines returns jobLines with this demo's addresses and key.
func (d *demo) lines() string {
	host, port, _ := net.SplitHostPort(d.gateway.MQTT) // an address has both
	return strings.NewReplacer(
		"CLIENT", "-h "+host+" -p "+port+" -i "+thing+" -q 1", "MJOB", mqttUpdate,
		"EXPORT", d.gateway.Export, "CONTROL", d.gateway.Control, "GATEWAY", d.gateway.Devices,
		"THING", thing, "JOB", update, "TARGET", target, "ROLE", roleARN, "DOCUMENT", updateDocument, "FIRMWARE", firmwareName,
	).Replace(jobLines)
}

// playJob makes the requests of jobLines without the AWS CLI. The job's URL must return firmware.
func (d *demo) playJob(ctx context.Context, out io.Writer, firmware []byte) error {
	job, err := json.Marshal(map[string]any{
		"targets": []string{target}, "document": updateDocument, "presignedUrlConfig": map[string]string{"roleArn": roleARN},
	})
	if err != nil {
		return err
	}
	if _, err := d.operate(ctx, http.MethodPost, "/things/"+thing, "{}"); err != nil {
		return err
	}
	if _, err := d.operate(ctx, http.MethodPut, "/jobs/"+update, string(job)); err != nil {
		return err
	}
	executions := d.gateway.Devices + "/things/" + thing + "/jobs/"
	next, err := get(ctx, executions+"$next")
	if err != nil {
		return fmt.Errorf("cannot get the job: %w", err)
	}
	var described struct{ Execution struct{ JobDocument string } }
	var document struct{ URL string }
	if err := json.Unmarshal(next, &described); err != nil {
		return fmt.Errorf("cannot read the job: %w", err)
	}
	if err := json.Unmarshal([]byte(described.Execution.JobDocument), &document); err != nil {
		return fmt.Errorf("cannot read the job's document: %w", err)
	}
	_, _ = fmt.Fprintf(out, "CreateJob %s; GET %s$next\n%s\n", update, executions, described.Execution.JobDocument)
	file, err := get(ctx, document.URL)
	if err != nil {
		return fmt.Errorf("cannot download the job's file: %w", err)
	}
	if !bytes.Equal(file, firmware) {
		return fmt.Errorf("cannot use the job's file: its %d bytes are not those of the firmware", len(file))
	}
	if _, err := send(ctx, http.MethodPost, executions+update, `{"status":"SUCCEEDED"}`, nil); err != nil {
		return fmt.Errorf("cannot report: %w", err)
	}
	_, _ = fmt.Fprintf(out, "GET its url: %d bytes, the same; reported SUCCEEDED\n", len(file))
	return d.awaitComplete(ctx, out)
}

// awaitComplete polls until the job is COMPLETED, which is soon after the last report.
func (d *demo) awaitComplete(ctx context.Context, out io.Writer) error {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		body, err := d.operate(ctx, http.MethodGet, "/jobs/"+update, "")
		if err != nil {
			return err
		}
		var answer struct{ Job struct{ Status string } }
		if err := json.Unmarshal(body, &answer); err != nil {
			return fmt.Errorf("cannot read the job's state: %w", err)
		}
		if answer.Job.Status == "COMPLETED" {
			_, _ = fmt.Fprintf(out, "DescribeJob %s: COMPLETED\n", update)
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the job did not complete: its status is %s", answer.Job.Status)
		}
	}
}

// operate calls the control plane, signed with its generated key.
func (d *demo) operate(ctx context.Context, method, path, body string) ([]byte, error) {
	answer, err := send(ctx, method, d.gateway.Control+path, body, func(r *http.Request) error {
		sum := sha256.Sum256([]byte(body))
		key := aws.Credentials{AccessKeyID: d.gateway.Key.AccessKeyID, SecretAccessKey: d.gateway.Key.SecretAccessKey}
		return v4.NewSigner().SignHTTP(ctx, key, r, hex.EncodeToString(sum[:]), access.ServiceControl, d.gateway.Region, time.Now())
	})
	if err != nil {
		return nil, fmt.Errorf("cannot ask the control plane for %s %s: %w", method, path, err)
	}
	return answer, nil
}
