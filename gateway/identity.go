package gateway

import (
	"crypto/x509"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge"
	"jobgate/gateway/target"
)

// AuthMode says how a device proves its name.
type AuthMode uint8

// The modes of auth.mode.
const (
	AuthNone   AuthMode = iota // the name in the path is trusted
	AuthMTLS                   // the client certificate names the thing
	AuthHeader                 // a TLS-terminating balancer names it in a header
	AuthSigV4                  // the request is signed with a configured access key; needs the IoT Jobs service
)

// CertificateName is the field of a client certificate that holds the thing's name.
type CertificateName uint8

// The fields of auth.thing_name.
const (
	SubjectCN CertificateName = iota
	SANDNS
	SANURI
)

// Of returns the thing's name in a certificate; false if there is none, or more than one.
func (n CertificateName) Of(leaf *x509.Certificate) (thing string, ok bool) {
	switch {
	case n == SubjectCN:
		return leaf.Subject.CommonName, leaf.Subject.CommonName != ""
	case n == SANDNS && len(leaf.DNSNames) == 1:
		return leaf.DNSNames[0], true
	case n == SANURI && len(leaf.URIs) == 1:
		return leaf.URIs[0].String(), true
	}
	return "", false
}

// Auth is how devices identify themselves.
type Auth struct {
	Mode           AuthMode
	ThingName      CertificateName // AuthMTLS
	Header         string          // for AuthHeader; removed from requests of peers other than TrustedProxies
	TrustedProxies []netip.Prefix  // their X-Forwarded-For is kept, too

	// Verify checks a request's signature for AuthSigV4 and says who signed it. Its errors
	// are *Error.
	Verify func(ctx *fasthttp.RequestCtx, t *target.Target, now time.Time) (Caller, error)
}

// Caller is who signed a request.
type Caller interface {
	// Name is the name sent to an upstream: the thing if the caller acts for exactly one, else the caller's id.
	Name() string
	// ActsFor reports whether the caller may make requests for thing.
	ActsFor(thing []byte) bool
}

func errUnauthorized(message string) *Error {
	return &Error{Status: http.StatusUnauthorized, Code: "Unauthorized", Message: message}
}

func errForbidden(message string) *Error {
	return &Error{Status: http.StatusForbidden, Code: "Forbidden", Message: message}
}

// identity is the proven name of a device; its bytes are valid as long as the request.
type identity struct {
	text   string
	bytes  []byte // instead of text
	caller Caller // instead of either: may act for several things
}

// is reports whether the device is the thing of that name.
func (i identity) is(thing []byte) bool {
	if i.caller != nil {
		return i.caller.ActsFor(thing)
	}
	if i.bytes != nil {
		return string(i.bytes) == string(thing)
	}
	return i.text != "" && i.text == string(thing)
}

// name returns the name, nil if none is proven.
func (i identity) name() []byte {
	if i.bytes == nil && i.text != "" {
		return []byte(i.text)
	}
	return i.bytes
}

// appendName appends the name that is sent to an upstream: the device's, or that of the caller who signed the request;
// nothing if neither is proven.
func (i identity) appendName(dst []byte) []byte {
	if i.caller != nil {
		return append(dst, i.caller.Name()...)
	}
	return append(append(dst, i.text...), i.bytes...)
}

// identify returns the proven name of the device, none with AuthNone. The header of
// AuthHeader is removed from requests of peers that are not trusted to set it.
func (h *Handler) identify(ctx *fasthttp.RequestCtx, x *exchange) (identity, *Error) {
	switch h.auth.Mode {
	case AuthMTLS:
		return h.certificateName(ctx)
	case AuthHeader:
		if !h.trusted(ctx) {
			ctx.Request.Header.Del(h.auth.Header)
			return identity{}, errUnauthorized("requests come through the gateway's trusted proxies only")
		}
		for trailer := range ctx.Request.Header.Trailers() { // fasthttp adds them to the headers
			if strings.EqualFold(string(trailer), h.auth.Header) {
				return identity{}, errUnauthorized("a thing's name is not accepted in a trailer")
			}
		}
		names := ctx.Request.Header.PeekAll(h.auth.Header)
		if len(names) != 1 || len(names[0]) == 0 { // with two, the device may have set one
			return identity{}, errUnauthorized("the trusted proxy named no thing, or more than one")
		}
		return identity{bytes: names[0]}, nil
	case AuthSigV4:
		if err := h.bufferBody(ctx); err != nil {
			return identity{}, err
		}
		caller, err := h.auth.Verify(ctx, &x.target, x.now)
		if err != nil {
			return identity{}, edge.FaultOf(err)
		}
		return identity{caller: caller}, nil
	default:
		return identity{}, nil
	}
}

func (h *Handler) certificateName(ctx *fasthttp.RequestCtx) (identity, *Error) {
	state := ctx.TLSConnectionState()
	if state == nil || len(state.VerifiedChains) == 0 || len(state.PeerCertificates) == 0 {
		return identity{}, errUnauthorized("a client certificate of the gateway's certificate authority is required")
	}
	if name, ok := h.auth.ThingName.Of(state.PeerCertificates[0]); ok {
		return identity{text: name}, nil
	}
	return identity{}, errUnauthorized("the client certificate names no thing, or more than one, in the field of auth.thing_name")
}

// authorize checks that the device acts for itself: its proven name must equal thing,
// the path's {thingName}; nil if the path has none.
func (h *Handler) authorize(who identity, thing []byte) *Error {
	if h.auth.Mode == AuthNone || thing == nil || who.is(thing) {
		return nil
	}
	return errForbidden("a device may use only its own thing name")
}

// trusted reports whether the peer is one of the trusted proxies.
func (h *Handler) trusted(ctx *fasthttp.RequestCtx) bool {
	return h.trusts(edge.PeerAddr(ctx.RemoteAddr()))
}

// trusts reports whether peer is one of the trusted proxies.
func (h *Handler) trusts(peer netip.Addr) bool {
	for _, prefix := range h.auth.TrustedProxies {
		if prefix.Contains(peer) {
			return true
		}
	}
	return false
}
