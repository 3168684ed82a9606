package connections

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	"jobgate/bench/peers/certificates"
	"jobgate/bench/peers/process"
	"jobgate/bench/peers/setup"
)

// Word is the first argument of this program when it holds idle connections, until its input ends; which they are
// follows as JSON. It is a process of its own because of its open files.
const Word = "hold-peer"

// holding is what such a process holds.
type holding struct {
	Port, Connections int
	TLS               bool
	Folder            string        // of the devices' authority; "": no certificates
	Every             time.Duration // each connection asks again at this interval; 0: never
	Uncounted         time.Duration // answers of so long are not counted
	Flood             bool          // they are a flood's instead, see flood, and are opened over Every
	Again             time.Duration // of a flood: until one that was closed is opened anew
	First             int           // number of the first connection, which its source address follows
}

// held is what such a process reports when it ends.
type held struct {
	Answers, Failed int64
	P50, P99        time.Duration
	Opened, Refused int64 // of a flood: connections that were opened, and that could not be
}

// holder is the process, seen from the other side.
type holder struct{ *process.Held }

// holdConnections starts a process that opens connections, asks once on each, and keeps them. It returns when all are open.
func holdConnections(ctx context.Context, o *setup.Options, what holding) (*holder, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(what)
	if err != nil {
		return nil, err
	}
	args := []string{"taskset", "-c", fmt.Sprint(o.LoadCore), self, Word, string(text)}
	if what.Flood { // its core is also that of the devices, whose latency is measured
		args = append([]string{"nice", "-n", "19"}, args...)
	}
	h, err := process.Hold(exec.CommandContext(ctx, args[0], args[1:]...))
	if err != nil {
		return nil, err
	}
	if _, err := h.Output.ReadString('\n'); err != nil { // it has ended
		h.Stop()
		return nil, fmt.Errorf("the idle connections: %w\n%s", err, h.Stderr())
	}
	return &holder{h}, nil
}

// end stops asking, and returns what came of it. The connections are closed.
func (h *holder) end() (r held, err error) {
	if err := h.Input.Close(); err != nil {
		return r, err
	}
	err = json.NewDecoder(h.Output).Decode(&r)
	return r, errors.Join(err, h.Wait())
}

// RunHolder is that process.
func RunHolder(text string) error {
	var what holding
	if err := json.Unmarshal([]byte(text), &what); err != nil {
		return err
	}
	if _, err := process.RaiseFiles(uint64(what.Connections) + process.SpareFiles); err != nil {
		return err
	}
	var conns []net.Conn
	if !what.Flood {
		var err error
		if conns, err = what.open(context.Background()); err != nil {
			return err
		}
	}
	fmt.Println(len(conns))
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // whatever ends it
		cancel()
	}()
	if what.Flood {
		return json.NewEncoder(os.Stdout).Encode(what.flood(ctx))
	}
	return json.NewEncoder(os.Stdout).Encode(what.ask(ctx, conns))
}

// open opens the connections and asks once on each.
func (h *holding) open(ctx context.Context) ([]net.Conn, error) {
	var devices *certificates.Authority
	if h.Folder != "" {
		var err error
		if devices, err = certificates.ReadAuthority(h.Folder); err != nil {
			return nil, err
		}
	}
	conns := make([]net.Conn, h.Connections)
	slots := make(chan struct{}, 64)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for i := range conns {
		slots <- struct{}{}
		mu.Lock()
		stop := failed != nil
		mu.Unlock()
		if stop || ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			c, err := h.connect(ctx, devices, i)
			conns[i] = c
			if err != nil {
				mu.Lock()
				failed = fmt.Errorf("connection %d: %w", i+1, err)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return conns, errors.Join(failed, ctx.Err())
}

// connect opens the i-th connection and asks on it. What it needed for that is
// garbage afterwards, but for the connection.
func (h *holding) connect(ctx context.Context, devices *certificates.Authority, i int) (net.Conn, error) {
	c, err := process.FromSource(h.First+i).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", h.Port))
	if err != nil {
		return nil, err
	}
	if h.TLS {
		config := &tls.Config{InsecureSkipVerify: true} // the certificate was made for this run
		if devices != nil {
			certificate, err := devices.Issue(fmt.Sprintf("device-%d", i))
			if err != nil {
				return c, err
			}
			config.Certificates = []tls.Certificate{certificate}
		}
		c = tls.Client(c, config)
	}
	return c, askOnce(c)
}

// askOnce asks on a connection, and wants a good answer.
func askOnce(c net.Conn) error {
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(c, "GET /hot HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReaderSize(c, 4096), nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return errors.Join(err, c.SetDeadline(time.Time{}))
}

// askers is how many of the connections may wait for their answers at once.
const askers = 64

// ask asks on each connection once in every interval, evenly spread, until ctx ends; at once if there is no interval.
func (h *holding) ask(ctx context.Context, conns []net.Conn) (r held) {
	if h.Every == 0 {
		<-ctx.Done()
		return r
	}
	var mu sync.Mutex
	var took []time.Duration
	var wg sync.WaitGroup
	begun := time.Now()
	for first := range min(askers, len(conns)) {
		wg.Go(func() {
			for i := first; ; i += askers {
				due := begun.Add(time.Duration(float64(h.Every) * float64(i) / float64(len(conns))))
				if process.Sleep(ctx, time.Until(due)) != nil {
					return
				}
				sent := time.Now()
				err := askOnce(conns[i%len(conns)])
				mu.Lock()
				if err == nil && time.Since(begun) > h.Uncounted {
					took = append(took, time.Since(sent))
				} else if err != nil {
					r.Failed++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(took)
	if n := len(took); n > 0 {
		r.Answers, r.P50, r.P99 = int64(n), took[n/2], took[n*99/100]
	}
	return r
}
