// Package tlsserver complements crypto/tls for listeners: certificates that are reloaded when their files change
// (Certificates), the boundaries of records (Records), and the reason of a failed handshake (Reason).
package tlsserver
