package mqtt

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"jobgate/bench/peers/process"
	"jobgate/gateway/jobs/mqtt/packet"
)

// version is the protocol version of all clients.
const version = packet.V311

// clients are many MQTT connections on one thread with one shared buffer, for a cheap generator. Only one goroutine may
// use them.
//
//	epoll ─▶ read ─▶ packets ─▶ message, acknowledged ─▶ write
type clients struct {
	port    int
	epoll   int
	all     []*client
	byFD    map[int32]*client
	buf     []byte
	events  []syscall.EpollEvent
	waiting []*client // clients with something to write
	ready   int       // clients whose subscriptions are confirmed
	name    func(i int) string
	filters func(i int) []string // subscribed at QoS 1

	message      func(*client, *packet.Publish) // called for a received message; its PUBACK is queued already
	acknowledged func(*client)                  // called when the client's oldest own message is acknowledged
}

// client is one MQTT connection.
type client struct {
	index int
	fd    int
	rest  []byte // the beginning of a packet, already read
	out   []byte // to be written
	waits bool   // in clients.waiting
	full  bool   // the last write was partial
	id    uint16 // of the last message
}

func newClients(port int) (*clients, error) {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot create an epoll instance: %w", err)
	}
	return &clients{
		port: port, epoll: epoll, byFD: map[int32]*client{}, buf: make([]byte, 256<<10), events: make([]syscall.EpollEvent, 256),
		message: func(*client, *packet.Publish) {}, acknowledged: func(*client) {},
	}, nil
}

const (
	maxOpening    = 64               // connections being opened at once
	answerTimeout = 30 * time.Second // for a server that sends nothing
)

// open opens n connections with their subscriptions.
func (c *clients) open(n int) error {
	last := time.Now()
	for before := c.ready; c.ready < n; {
		for len(c.all) < n && len(c.all)-c.ready < maxOpening {
			i := len(c.all)
			if err := c.connect(i); err != nil {
				return fmt.Errorf("connection %d: %w", i, err)
			}
		}
		if err := c.step(time.Second); err != nil {
			return err
		}
		if c.ready > before {
			before, last = c.ready, time.Now()
		}
		if time.Since(last) > answerTimeout {
			return fmt.Errorf("%d of %d connections are open, none of them opened in the last %s", c.ready, n, answerTimeout)
		}
	}
	return nil
}

// connect opens the i-th connection and sends its CONNECT.
func (c *clients) connect(i int) error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	one := &client{index: i, fd: fd}
	c.all, c.byFD[int32(fd)] = append(c.all, one), one
	for _, set := range []func() error{
		func() error { return process.PortAtConnect(fd) },
		func() error { return syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1) },
		func() error { return syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte(process.Source(i).To4())}) },
		func() error {
			return retry(func() error {
				return syscall.Connect(fd, &syscall.SockaddrInet4{Port: c.port, Addr: [4]byte{127, 0, 0, 1}})
			})
		},
		func() error { return syscall.SetNonblock(fd, true) },
		func() error {
			return syscall.EpollCtl(c.epoll, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)})
		},
	} {
		if err := set(); err != nil {
			return err
		}
	}
	one.out = packet.AppendConnect(one.out, &packet.Connect{Version: version, Clean: true, ClientID: []byte(c.name(i))})
	c.write(one)
	return nil
}

// step serves the clients that are ready. It waits for one at most as long as wait.
func (c *clients) step(wait time.Duration) error {
	if err := c.flushAll(); err != nil {
		return err
	}
	n, err := syscall.EpollWait(c.epoll, c.events, int(wait.Milliseconds()))
	if errors.Is(err, syscall.EINTR) {
		return nil
	} else if err != nil {
		return err
	}
	for _, e := range c.events[:n] {
		one := c.byFD[e.Fd]
		if e.Events&syscall.EPOLLOUT != 0 {
			err = c.flush(one)
		}
		if err == nil && e.Events&^syscall.EPOLLOUT != 0 {
			err = c.read(one)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", c.name(one.index), err)
		}
	}
	return c.flushAll()
}

// write queues a client's output for the end of the step.
func (c *clients) write(one *client) {
	if !one.waits {
		one.waits = true
		c.waiting = append(c.waiting, one)
	}
}

func (c *clients) flushAll() error {
	for _, one := range c.waiting {
		one.waits = false
		if err := c.flush(one); err != nil {
			return fmt.Errorf("%s: %w", c.name(one.index), err)
		}
	}
	c.waiting = c.waiting[:0]
	return nil
}

// read handles a client's input.
func (c *clients) read(one *client) error {
	kept := copy(c.buf, one.rest)
	n, err := syscall.Read(one.fd, c.buf[kept:])
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
		return nil // epoll will report the socket again
	case err != nil:
		return err
	case n == 0:
		return errors.New("the server closed the connection")
	}
	b := c.buf[:kept+n]
	for {
		p, size, err := packet.Split(b, len(c.buf))
		if err != nil {
			return err
		}
		if size == 0 {
			break
		}
		b = b[size:]
		if err := c.handle(one, p); err != nil {
			return err
		}
	}
	one.rest = append(one.rest[:0], b...)
	if len(one.out) > 0 {
		c.write(one)
	}
	return nil
}

// handle handles one packet.
func (c *clients) handle(one *client, p packet.Packet) error {
	switch p.Type {
	case packet.CONNACK:
		var ack packet.Connack
		if err := packet.ParseConnack(p.Body, version, &ack); err != nil {
			return err
		}
		if ack.Reason != packet.Success {
			return fmt.Errorf("CONNECT was refused with code %d", ack.Reason)
		}
		var list []packet.Subscription
		for _, f := range c.filters(one.index) {
			list = append(list, packet.Subscription{Filter: []byte(f), QoS: 1})
		}
		one.out = packet.AppendSubscribe(one.out, version, 1, new(packet.Properties), list)
	case packet.SUBACK:
		_, reasons, err := packet.ParseSuback(p, version)
		if err != nil {
			return err
		}
		for _, r := range reasons {
			if r != 1 {
				return fmt.Errorf("a subscription was answered with code %#x; requested was QoS 1", r)
			}
		}
		c.ready++
	case packet.PUBLISH:
		var m packet.Publish
		if err := packet.ParsePublish(p, version, &m); err != nil {
			return err
		}
		if m.QoS > 0 {
			one.out = packet.AppendPuback(one.out, version, packet.Puback{ID: m.ID})
		}
		c.message(one, &m)
	case packet.PUBACK:
		c.acknowledged(one)
	default:
		return fmt.Errorf("unexpected packet of type %d", p.Type)
	}
	return nil
}

// publish sends a message at QoS 1.
func (c *clients) publish(one *client, topic, payload []byte) {
	if one.id++; one.id == 0 {
		one.id = 1
	}
	one.out = packet.AppendPublish(one.out, version, &packet.Publish{QoS: 1, ID: one.id, Topic: topic, Payload: payload})
	c.write(one)
}

// flush writes a client's output, as much as its socket accepts.
func (c *clients) flush(one *client) error {
	for len(one.out) > 0 {
		n, err := syscall.Write(one.fd, one.out)
		if n > 0 {
			one.out = one.out[:copy(one.out, one.out[n:])]
		}
		if errors.Is(err, syscall.EAGAIN) {
			break
		} else if err != nil && !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
	full := len(one.out) > 0
	if full == one.full {
		return nil
	}
	one.full = full
	events := uint32(syscall.EPOLLIN)
	if full {
		events |= syscall.EPOLLOUT
	}
	return syscall.EpollCtl(c.epoll, syscall.EPOLL_CTL_MOD, one.fd, &syscall.EpollEvent{Events: events, Fd: int32(one.fd)})
}

// close closes all connections.
func (c *clients) close() {
	for _, one := range c.all {
		_ = syscall.Close(one.fd)
	}
	_ = syscall.Close(c.epoll)
}

// retry repeats a system call that a signal interrupts.
func retry(call func() error) error {
	for {
		if err := call(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
