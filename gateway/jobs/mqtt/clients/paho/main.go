// Command paho acts as a device with Eclipse's unmodified Go clients. The device gets a notice of a job, starts the job,
// downloads its file, reports, and gets the notice of the next job. It does so once on MQTT 5 (paho.golang) and once on 3.1.1
// (paho.mqtt.golang).
//
// ../run.sh sets its environment: the gateway's address, the certificates, and whether a store serves the job's URL. The
// AWS CLI acts as the operator.
package main

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// timeout is how long to wait for a message.
const timeout = 30 * time.Second

// message is a received message.
type message struct {
	topic   string
	payload []byte
}

// client is a connection. Received messages go to the channel given at its creation.
type client interface {
	subscribe(topics ...string) error
	publish(topic string, payload []byte) error
	close()
}

// device is a connected thing.
type device struct {
	name    string
	client  client
	arrived chan message
	kept    []message // received while waiting for another, in order
}

func main() {
	log.SetFlags(0)
	suffix := ""
	if os.Getenv("MQTT_CA") != "" {
		suffix = "-mtls"
	}
	for _, one := range []struct {
		name string
		dial func(thing string, arrived chan<- message) (client, error)
	}{{"paho-mqtt5", dial5}, {"paho-mqtt311", dial311}} {
		size, err := run(one.name+suffix, one.dial)
		if err != nil {
			log.Fatalf("%s%s: %v", one.name, suffix, err)
		}
		fmt.Printf("%s%s: ok (downloaded %d bytes)\n", one.name, suffix, size)
	}
}

// address returns the address for devices and a thing's TLS configuration, nil without TLS.
func address(thing string) (string, *tls.Config, error) {
	host := net.JoinHostPort(os.Getenv("MQTT_HOST"), os.Getenv("MQTT_PORT"))
	ca := os.Getenv("MQTT_CA")
	if ca == "" {
		return host, nil, nil
	}
	text, err := os.ReadFile(ca)
	if err != nil {
		return "", nil, err
	}
	c := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	c.RootCAs.AppendCertsFromPEM(text)
	file := filepath.Join(os.Getenv("MQTT_CERTS"), thing)
	pair, err := tls.LoadX509KeyPair(file+".crt", file+".key")
	c.Certificates = []tls.Certificate{pair}
	return host, c, err
}

// operate calls the control plane as an operator.
func operate(args ...string) (map[string]any, error) {
	args = append([]string{"--endpoint-url", os.Getenv("JOBGATE_ENDPOINT"), "--output", "json", "iot"}, args...)
	cmd := exec.Command("/usr/bin/aws", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("aws iot %s: %w", strings.Join(args[5:], " "), err)
	}
	var v map[string]any
	if len(out) > 0 {
		err = json.Unmarshal(out, &v)
	}
	return v, err
}

func createJob(id, thing string) error {
	document := map[string]string{"do": id}
	args := []string{"create-job", "--job-id", id, "--targets", "arn:aws:iot:us-east-1:000000000000:thing/" + thing}
	if object := os.Getenv("JOBGATE_OBJECT_URL"); object != "" {
		document["url"] = "${aws:iot:s3-presigned-url-v2:" + object + "}"
	}
	if role := os.Getenv("JOBGATE_ROLE_ARN"); role != "" {
		args = append(args, "--presigned-url-config", "roleArn="+role)
	}
	text, err := json.Marshal(document)
	if err == nil {
		_, err = operate(append(args, "--document", string(text))...)
	}
	return err
}

// take waits for the next message to the topic rest of the thing's jobs.
func (d *device) take(rest string) (map[string]any, error) {
	late := time.After(timeout)
	for i := 0; ; i++ {
		if i == len(d.kept) {
			select {
			case m := <-d.arrived:
				d.kept = append(d.kept, m)
			case <-late:
				return nil, fmt.Errorf("no message to %s within %v", rest, timeout)
			}
		}
		if m := d.kept[i]; m.topic == d.topic(rest) {
			d.kept = append(d.kept[:i], d.kept[i+1:]...)
			var v map[string]any
			err := json.Unmarshal(m.payload, &v)
			return v, err
		}
	}
}

func (d *device) topic(rest string) string { return "$aws/things/" + d.name + "/jobs/" + rest }

// ask sends a request and receives its answer.
func (d *device) ask(rest, answer string, request map[string]any) (map[string]any, error) {
	request["clientToken"] = rest
	text, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	if err := d.client.publish(d.topic(rest), text); err != nil {
		return nil, err
	}
	v, err := d.take(rest + "/" + answer)
	if err == nil && v["clientToken"] != rest {
		err = fmt.Errorf("%s: the answer's token is %v", rest, v["clientToken"])
	}
	return v, err
}

// awaitNext waits for a notify-next with the job; "": without a job.
func (d *device) awaitNext(job string) error {
	v, err := d.take("notify-next")
	if err == nil && text(v, "execution", "jobId") != job {
		err = fmt.Errorf("got a notice of %q, want %q: %v", text(v, "execution", "jobId"), job, v)
	}
	return err
}

// text returns a value inside an object; "" if it is missing.
func text(v any, path ...string) string {
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	s, _ := v.(string)
	return s
}

// run acts as a device, and returns the size of the downloaded file.
func run(thing string, dial func(string, chan<- message) (client, error)) (size int, err error) {
	if _, err = operate("create-thing", "--thing-name", thing); err != nil {
		return 0, err
	}
	d := &device{name: thing, arrived: make(chan message, 1000)}
	if d.client, err = dial(thing, d.arrived); err != nil {
		return 0, err
	}
	defer d.client.close()
	// Like AWS's clients: wildcards for answers, exact topics for notices.
	if err = d.client.subscribe(d.topic("start-next/+"), d.topic("+/get/+"), d.topic("+/update/+"), d.topic("notify"), d.topic("notify-next")); err != nil {
		return 0, err
	}
	one, two := thing+"-1", thing+"-2"
	if err = createJob(one, thing); err != nil {
		return 0, err
	}
	if err = d.awaitNext(one); err != nil {
		return 0, err
	}
	if err = createJob(two, thing); err != nil {
		return 0, err
	}
	if size, err = d.first(one); err != nil {
		return 0, err
	}
	return size, d.second(one, two)
}

// first starts a job, downloads its file and reports.
func (d *device) first(job string) (size int, err error) {
	v, err := d.ask("start-next", "accepted", map[string]any{})
	if err != nil {
		return 0, err
	}
	document := v["execution"].(map[string]any)["jobDocument"]
	if text(v, "execution", "jobId") != job || text(v, "execution", "status") != "IN_PROGRESS" || text(document, "do") != job {
		return 0, fmt.Errorf("start-next: %v", v)
	}
	if size, err = download(text(document, "url")); err != nil {
		return 0, err
	}
	report := map[string]any{"status": "IN_PROGRESS", "statusDetails": map[string]string{"step": "downloaded"}, "expectedVersion": "2"}
	if _, err = d.ask(job+"/update", "accepted", report); err != nil {
		return 0, err
	}
	v, err = d.ask(job+"/update", "rejected", map[string]any{"status": "IN_PROGRESS", "expectedVersion": "2"})
	if err == nil && text(v, "code") != "VersionMismatch" {
		err = fmt.Errorf("a report with an old version: %v", v)
	}
	return size, err
}

// second ends the first job, does the next one after its notice, and waits for the notice that no job is left.
func (d *device) second(one, two string) error {
	if _, err := d.ask(one+"/update", "accepted", map[string]any{"status": "SUCCEEDED"}); err != nil {
		return err
	}
	if err := d.awaitNext(two); err != nil {
		return err
	}
	v, err := d.ask("$next/get", "accepted", map[string]any{})
	if err != nil {
		return err
	}
	if text(v, "execution", "jobId") != two {
		return fmt.Errorf("$next is %v", v)
	}
	if _, err := d.ask(two+"/update", "accepted", map[string]any{"status": "SUCCEEDED"}); err != nil {
		return err
	}
	if err := d.awaitNext(""); err != nil {
		return err
	}
	for end := time.Now().Add(timeout); ; time.Sleep(200 * time.Millisecond) { // the gateway completes the job within a second
		v, err := operate("describe-job", "--job-id", one)
		if err != nil {
			return err
		}
		if text(v, "job", "status") == "COMPLETED" {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s is not completed: %v", one, v)
		}
	}
}

// download fetches a job's URL, if a store serves it.
func download(url string) (int, error) {
	want := os.Getenv("JOBGATE_OBJECT_SHA256")
	if want == "" {
		return 0, nil
	}
	r, err := (&http.Client{Timeout: timeout}).Get(url)
	if err != nil {
		return 0, err
	}
	defer func() { _ = r.Body.Close() }()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return 0, err
	}
	if sum := sha256.Sum256(b); r.StatusCode != http.StatusOK || hex.EncodeToString(sum[:]) != want {
		return 0, fmt.Errorf("the job's URL answers %s, %d bytes that are not the file", r.Status, len(b))
	}
	return len(b), nil
}
