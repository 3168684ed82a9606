// Package socket reads and writes a connection with fewer system calls than package net, and can check without
// waiting whether data has arrived.
package socket
