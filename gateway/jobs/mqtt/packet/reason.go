package packet

// Reason is a reason code of MQTT 5 (5 §2.4).
type Reason uint8

// The reason codes that the gateway sends or handles.
const (
	Success                 Reason = 0x00
	GrantedQoS1             Reason = 0x01
	DisconnectWithWill      Reason = 0x04
	NoSubscriptionExisted   Reason = 0x11
	UnspecifiedError        Reason = 0x80
	MalformedPacket         Reason = 0x81
	ProtocolError           Reason = 0x82
	ImplementationError     Reason = 0x83
	UnsupportedVersion      Reason = 0x84
	ClientIDNotValid        Reason = 0x85
	BadUserNameOrPassword   Reason = 0x86
	NotAuthorized           Reason = 0x87
	ServerUnavailable       Reason = 0x88
	ServerBusy              Reason = 0x89
	ServerShuttingDown      Reason = 0x8B
	BadAuthenticationMethod Reason = 0x8C
	KeepAliveTimeout        Reason = 0x8D
	SessionTakenOver        Reason = 0x8E
	TopicFilterInvalid      Reason = 0x8F
	TopicNameInvalid        Reason = 0x90
	ReceiveMaximumExceeded  Reason = 0x93
	TopicAliasInvalid       Reason = 0x94
	PacketTooLarge          Reason = 0x95
	QuotaExceeded           Reason = 0x97
	AdministrativeAction    Reason = 0x98
	QoSNotSupported         Reason = 0x9B
	SharedNotSupported      Reason = 0x9E
	ConnectionRateExceeded  Reason = 0x9F
	MaximumConnectTime      Reason = 0xA0
	SubscriptionIDs         Reason = 0xA1
	WildcardsNotSupported   Reason = 0xA2
)

// reasonNames are those of the codes that are logged.
var reasonNames = map[Reason]string{
	Success: "success", UnspecifiedError: "unspecified", MalformedPacket: "malformed", ProtocolError: "protocol_error",
	UnsupportedVersion: "unsupported_version", ClientIDNotValid: "client_id_not_valid", NotAuthorized: "not_authorized",
	ServerBusy: "server_busy", ServerShuttingDown: "shutting_down", BadAuthenticationMethod: "bad_authentication_method",
	KeepAliveTimeout: "keep_alive_timeout", SessionTakenOver: "taken_over", TopicNameInvalid: "topic_name_invalid",
	TopicFilterInvalid: "topic_filter_invalid", TopicAliasInvalid: "topic_alias_invalid", PacketTooLarge: "too_large",
	QuotaExceeded: "quota_exceeded", AdministrativeAction: "administrative_action", QoSNotSupported: "qos_not_supported",
	ConnectionRateExceeded: "connect_rate", SharedNotSupported: "shared_not_supported", SubscriptionIDs: "subscription_ids_not_supported",
}

// String returns a short name for logs and metrics, "other" for a code that has none.
func (r Reason) String() string {
	if name, ok := reasonNames[r]; ok {
		return name
	}
	return "other"
}

// Return codes of a CONNACK of MQTT 3.1.1 (3 §3.2.2.3).
const (
	Accepted311      = 0
	VersionRefused   = 1
	IDRejected       = 2
	Unavailable      = 3
	BadCredentials   = 4
	NotAuthorized311 = 5
)

// returnCode returns the return code of MQTT 3.1.1 for a reason to refuse a CONNECT.
func returnCode(r Reason) uint8 {
	switch r {
	case Success:
		return Accepted311
	case UnsupportedVersion:
		return VersionRefused
	case ClientIDNotValid:
		return IDRejected
	case BadUserNameOrPassword:
		return BadCredentials
	case NotAuthorized, BadAuthenticationMethod:
		return NotAuthorized311
	}
	return Unavailable
}

// Error is the error for an invalid packet. All errors of this package have this type.
type Error struct {
	Reason Reason
	Text   string
}

// Error returns the text.
func (e *Error) Error() string { return "mqtt: " + e.Text }

func malformed(text string) *Error { return &Error{MalformedPacket, text} }
func protocol(text string) *Error  { return &Error{ProtocolError, text} }

var (
	errFlags    = malformed("the packet's type or its flags are none of the protocol's")
	errVarint   = malformed("a length is not a variable byte integer in its shortest form")
	errTooLarge = &Error{PacketTooLarge, "the packet is larger than this server takes"}
	errShort    = malformed("the packet ends before its content")
	errLong     = malformed("the packet has bytes after its content")
	errText     = malformed("a string is not UTF-8, or holds U+0000")
	errProperty = malformed("a property is not one of the protocol's, or not one of this packet's")
	errTwice    = protocol("a property is given twice")
	errValue    = protocol("a property's value is out of its range")
	errName     = malformed("the protocol's name is not MQTT")
	errVersion  = &Error{UnsupportedVersion, "the protocol's version is neither 3.1.1 nor 5"}
	errReserved = malformed("a reserved bit is set")
	errWill     = malformed("the will's flags contradict each other")
	errPassword = malformed("there is a password without a user name")
	errNoID     = &Error{ClientIDNotValid, "the client id is empty, and the session is not a clean one"}
	errQoS      = malformed("the QoS is 3")
	errPacketID = protocol("the packet identifier is 0")
	errTopic    = &Error{TopicNameInvalid, "the topic name is empty or holds a wildcard"}
	errNoFilter = protocol("there is no topic filter")
	errFilter   = &Error{TopicFilterInvalid, "a topic filter is not well formed"}
	errDUP      = malformed("DUP is set with QoS 0")
	errRetain   = protocol("the retain handling is 3")
	errNoLocal  = protocol("No Local is set on a shared subscription")
)
