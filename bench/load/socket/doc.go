// Package socket reads and writes a connection with fewer system calls than package net, and without waiting where the
// load generator needs to look only.
package socket
