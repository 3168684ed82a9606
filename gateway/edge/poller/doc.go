// Package poller waits for many silent sockets with epoll, without a goroutine for each. It is for Linux only.
package poller
