package load

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"time"

	"jobgate/bench/peers/certificates"
	"jobgate/bench/peers/rounds"
	"jobgate/bench/peers/setup"
)

// Word is the first argument of this program when it runs the load of devices with certificates. The second is a Certified
// as JSON.
const Word = "load-peer"

// Certified is such a load: a closed loop on each connection.
type Certified struct {
	Folder, Address    string
	Length             time.Duration
	Connections        int
	Group              string // its connections are different things
	Things             int    // in Group
	Method, Path, Body string // Path after the thing's name
}

// certifiedResult is the report of such a load.
type certifiedResult struct {
	Rate     float64
	P50, P99 time.Duration
	Good     int64
	Failed   int64
}

// CertifiedTurn runs a load in its own process, on the load's core.
func CertifiedTurn(ctx context.Context, o *setup.Options, c Certified) (rounds.Turn, error) {
	self, err := os.Executable()
	if err != nil {
		return rounds.Turn{}, err
	}
	what, err := json.Marshal(c)
	if err != nil {
		return rounds.Turn{}, err
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "taskset", "-c", strconv.Itoa(o.LoadCore), self, Word, string(what))
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		return rounds.Turn{}, fmt.Errorf("the load: %w\n%s", err, &stderr)
	}
	var r certifiedResult
	if err := json.Unmarshal(text, &r); err != nil {
		return rounds.Turn{}, fmt.Errorf("the load's report %q: %w", text, err)
	}
	return rounds.Turn{Rate: r.Rate, P50: r.P50, P99: r.P99, Good: r.Good, Failed: r.Failed}, nil
}

// RunCertified runs that process.
func RunCertified(what string) error {
	var c Certified
	if err := json.Unmarshal([]byte(what), &c); err != nil {
		return err
	}
	a, err := certificates.ReadAuthority(c.Folder)
	if err != nil {
		return err
	}
	devices := make([]*device, c.Connections)
	for i := range devices {
		if devices[i], err = c.connect(a, i); err != nil {
			return fmt.Errorf("connection %d: %w", i+1, err)
		}
	}
	begun := time.Now()
	var all sync.WaitGroup
	for _, d := range devices {
		all.Go(func() { d.ask(begun.Add(c.Length)) })
	}
	all.Wait()
	took := time.Since(begun)
	var r certifiedResult
	var latencies []time.Duration
	for _, d := range devices {
		latencies = append(latencies, d.latencies...)
		r.Failed += d.failed
	}
	slices.Sort(latencies)
	if n := len(latencies); n > 0 {
		r.P50, r.P99 = latencies[n/2], latencies[n*99/100]
	}
	r.Good = int64(len(latencies))
	r.Rate = float64(r.Good) / took.Seconds()
	return json.NewEncoder(os.Stdout).Encode(r)
}

// device is one connection.
type device struct {
	conn      *tls.Conn
	reader    *bufio.Reader
	request   []byte
	latencies []time.Duration
	failed    int64
}

// connect opens the i-th connection. The connections' things are spread evenly over the group.
func (c *Certified) connect(a *certificates.Authority, i int) (*device, error) {
	name := ThingName(c.Group, c.Things, i*max(1, c.Things/c.Connections)%c.Things)
	certificate, err := a.Issue(name)
	if err != nil {
		return nil, err
	}
	d := tls.Dialer{
		NetDialer: &net.Dialer{Timeout: 10 * time.Second},
		Config:    &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{certificate}}, // the server's certificate was made for this run
	}
	conn, err := d.Dial("tcp", c.Address)
	if err != nil {
		return nil, err
	}
	request := fmt.Sprintf("%s /things/%s%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		c.Method, name, c.Path, DeviceHost, len(c.Body), c.Body)
	return &device{conn: conn.(*tls.Conn), reader: bufio.NewReader(conn), request: []byte(request)}, nil
}

// ask repeats the request until end or until the connection fails.
func (d *device) ask(end time.Time) {
	for begun := time.Now(); begun.Before(end); {
		if _, err := d.conn.Write(d.request); err != nil {
			d.failed++
			return
		}
		good, err := d.answer()
		if err != nil {
			d.failed++
			return
		}
		now := time.Now()
		if good {
			d.latencies = append(d.latencies, now.Sub(begun))
		} else {
			d.failed++
		}
		begun = now
	}
}

// answer reads one answer. It parses only the necessary parts of the header, so that the load is not the bottleneck.
func (d *device) answer() (good bool, err error) {
	line, err := d.reader.ReadSlice('\n')
	if err != nil {
		return false, err
	}
	good = bytes.Contains(line, []byte(" 200 "))
	length := 0
	for {
		if line, err = d.reader.ReadSlice('\n'); err != nil {
			return false, err
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			break
		}
		if name, value, _ := bytes.Cut(line, []byte(":")); bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return false, err
			}
		}
	}
	_, err = d.reader.Discard(length)
	return good, err
}
