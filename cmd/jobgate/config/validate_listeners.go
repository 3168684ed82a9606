package config

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// IsLoopback reports whether a listener on address is reachable from this machine only: 127.0.0.0/8, ::1, localhost or a Unix
// socket.
func IsLoopback(address string) bool {
	if strings.HasPrefix(address, "unix://") {
		return true
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// reachable reports whether other machines can reach address. Invalid addresses are reported by address.
func reachable(address string) bool {
	_, _, err := net.SplitHostPort(address)
	return err == nil && !IsLoopback(address)
}

// ServesConsole reports whether the operators' web page is on.
func (c *Config) ServesConsole() bool {
	if !c.Jobs.Enabled || c.Control == "" {
		return false
	}
	return c.Console == "true" || c.Console == "auto" && IsLoopback(c.Control)
}

// listeners checks the listeners' addresses.
func (v *validator) listeners() {
	c := v.c
	control := c.Control
	if !c.Jobs.Enabled {
		control = ""
		if c.Control != "" && c.Control != Default().Control {
			v.fault("control", fmt.Sprintf("%q has nothing to serve: jobs are off", c.Control), "", "set jobs.enabled: true, or remove control")
		}
	}
	if c.Console == "true" && (!c.Jobs.Enabled || c.Control == "") {
		v.fault("console", "cannot be served: the control plane is off", "", "set jobs.enabled: true and control, or remove console")
	}
	used := map[string]string{}
	for _, l := range []struct{ key, address string }{
		{"listen", c.Listen}, {"admin", c.Admin}, {"mqtt.listen", c.MQTT.Listen}, {"sidecar", c.Sidecar}, {"control", control},
	} {
		if l.address == "" {
			continue
		}
		if !v.address(l.key, l.address) {
			continue
		}
		if other, taken := used[l.address]; taken && !strings.HasSuffix(l.address, ":0") {
			v.fault(l.key, fmt.Sprintf("%q is the address of %s", l.address, other), "", "give each listener a port of its own")
		}
		used[l.address] = l.key
	}
	v.serves()
	if reachable(c.Sidecar) && c.SidecarTokenFile == "" {
		v.fault("sidecar", fmt.Sprintf("%q is reachable from other machines", c.Sidecar), "", "set sidecar_token_file, or bind 127.0.0.1 or unix:///…")
	}
	if c.SidecarTokenFile != "" && c.Sidecar == "" {
		v.fault("sidecar_token_file", fmt.Sprintf("%q guards nothing: sidecar is off", c.SidecarTokenFile), "", "set sidecar")
	}
	if c.AdminDebug && reachable(c.Admin) {
		v.warn("admin_debug", fmt.Sprintf("anyone who reaches %s may reload, profile and read the configuration", c.Admin), "bind admin to 127.0.0.1")
	}
}

// serves checks that there is something to serve.
func (v *validator) serves() {
	c := v.c
	devices := c.Listen != "" && (len(c.Routes) > 0 || len(c.Upstream) > 0 || c.Jobs.Enabled)
	if !devices && c.Sidecar == "" && len(v.faults) == 0 { // another fault may be the reason why nothing is served
		v.fault("", "there is nothing to serve", "", "set routes, upstream or jobs.enabled (with listen), or sidecar; `jobgate demo` runs without configuration")
	}
}

// address checks host:port, and for the sidecar unix:///path.
func (v *validator) address(key, address string) bool {
	want := "host:port or :port"
	if key == "sidecar" {
		want = "host:port or unix:///path"
		if path, ok := strings.CutPrefix(address, "unix://"); ok {
			if !strings.HasPrefix(path, "/") || len(path) > 107 {
				v.fault(key, fmt.Sprintf("%q is not an absolute socket path of at most 107 bytes", address), want, "")
				return false
			}
			return true
		}
	}
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		v.fault(key, fmt.Sprintf("%q is not an address", address), want, "")
	}
	return err == nil
}

// tls checks that certificates and keys are set in pairs, and that control_tls has a listener.
func (v *validator) tls() {
	for i, key := range []string{"tls", "control_tls"} {
		t, both := []TLS{v.c.TLS, TLS(v.c.ControlTLS)}[i], fmt.Sprintf("%[1]s.cert_file and %[1]s.key_file", key)
		if (t.CertFile == "") != (t.KeyFile == "") {
			v.fault(key, "a certificate and its key come together", "", "set both "+both)
		}
		if t.ClientCAFile != "" && t.CertFile == "" {
			v.fault(key+".client_ca_file", fmt.Sprintf("%q checks nothing: TLS is off", t.ClientCAFile), "", "set "+both)
		}
	}
	if c := v.c; c.ControlTLS.CertFile != "" && (!c.Jobs.Enabled || c.Control == "") {
		v.fault("control_tls", "has nothing to serve: the control plane is off", "", "set jobs.enabled: true and control, or remove control_tls")
	}
}

// auth chooses the mode if it is not set, and checks the requirements of each mode.
func (v *validator) auth() {
	c, a := v.c, &v.c.Auth
	v.authHeader(a.Header)
	if a.Mode == "" {
		if reachable(c.Listen) {
			v.fault("auth.mode", fmt.Sprintf("is not set, and listen %q is reachable from other machines", c.Listen), "mtls, sigv4, header or none",
				"write none only when any caller may ask for any device's documents")
		}
		a.Mode = "none"
		return
	}
	switch a.Mode {
	case "none":
		if reachable(c.Listen) {
			v.warn("auth.mode", fmt.Sprintf("any caller that reaches %s may ask for any device's documents", c.Listen), "use mtls, sigv4 or header")
		}
	case "mtls":
		if c.TLS.ClientCAFile == "" {
			v.fault("auth.mode", `"mtls" needs the authorities that sign the devices' certificates`, "", "set tls.client_ca_file")
		}
	case "header":
		if len(a.TrustedProxies) == 0 {
			v.fault("auth.mode", `"header" needs the peers whose header is believed`, "", "set auth.trusted_proxies")
		}
	case "sigv4":
		if c.Jobs.AccessKeysFile == "" {
			v.fault("auth.mode", `"sigv4" needs the access keys that may sign`, "", "set jobs.access_keys_file")
		}
	}
}

// reservedHeaders have a meaning in HTTP, to the gateway or to balancers, so they cannot carry a thing's name.
var reservedHeaders = map[string]bool{
	"accept": true, "accept-charset": true, "accept-encoding": true, "accept-language": true, "authorization": true, "cache-control": true, "connection": true,
	"content-encoding": true, "content-length": true, "content-range": true, "content-type": true, "cookie": true, "date": true, "expect": true,
	"forwarded": true, "host": true, "http2-settings": true, "if-match": true, "if-modified-since": true, "if-none-match": true, "if-range": true,
	"if-unmodified-since": true, "keep-alive": true, "max-forwards": true, "origin": true, "pragma": true, "proxy-authenticate": true,
	"proxy-authorization": true, "proxy-connection": true, "range": true, "referer": true, "set-cookie": true, "te": true, "trailer": true,
	"transfer-encoding": true, "upgrade": true, "user-agent": true, "via": true, "warning": true,
	"x-amz-content-sha256": true, "x-amz-date": true, "x-amz-security-token": true,
	"x-forwarded-for": true, "x-forwarded-host": true, "x-forwarded-proto": true,
}

// authHeader checks the name of the header that carries a thing's name.
func (v *validator) authHeader(name string) {
	switch {
	case !headerPattern.MatchString(name):
		v.fault("auth.header", fmt.Sprintf("%q is not a header name", name), "", "write one like X-Thing-Name")
	case reservedHeaders[strings.ToLower(name)]:
		v.fault("auth.header", fmt.Sprintf("%q has a meaning of its own in HTTP", name), "", "let the balancer set one like X-Thing-Name")
	}
}
