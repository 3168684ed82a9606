// Package poller waits for many silent sockets at once without a goroutine each, by epoll. Only Linux has it.
package poller
