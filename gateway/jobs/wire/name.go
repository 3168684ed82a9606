package wire

// IsName reports whether s is a name of 1 to limit characters of [a-zA-Z0-9_-], with colon also ':': the model's patterns
// of thing names and job ids, without a regular expression.
func IsName(s []byte, limit int, colon bool) bool {
	if len(s) == 0 || len(s) > limit {
		return false
	}
	for _, c := range s {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
		case c == ':' && colon:
		default:
			return false
		}
	}
	return true
}

// The longest names (AWS.md §4, Types).
const (
	MaxThingName = 128
	MaxJobID     = 64
)
