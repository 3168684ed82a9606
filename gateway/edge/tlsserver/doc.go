// Package tlsserver is what a listener with TLS needs beside crypto/tls: certificates that are loaded again when their
// files change (Certificates), where a record ends (Records), and why a handshake failed (Reason).
package tlsserver
