package jobs

import (
	"unicode"
	"unicode/utf8"
)

// Bounds of the name/value pairs that a device reports (AWS.md §3).
const (
	MaxStatusDetails     = 10
	maxStatusDetailName  = 128
	maxStatusDetailValue = 1024
)

// ValidateDetails applies AWS's limits on statusDetails: the number of pairs, [a-zA-Z0-9:_-]{1,128} for a name, 1 to 1024
// characters without control characters for a value.
func ValidateDetails(details map[string]string) error {
	if err := ValidateDetailsCount(details); err != nil {
		return err
	}
	for name, value := range details {
		if !isDetailName(name) {
			return Errorf(ErrInvalidRequest, "A name in statusDetails is not of the pattern [a-zA-Z0-9:_-]{1,%d}.", maxStatusDetailName)
		}
		if n := utf8.RuneCountInString(value); n < 1 || n > maxStatusDetailValue {
			return Errorf(ErrInvalidRequest, "The value of %s in statusDetails has %d characters, it must have 1 to %d.", name, n, maxStatusDetailValue)
		}
		for _, r := range value {
			if unicode.Is(unicode.C, r) {
				return Errorf(ErrInvalidRequest, "The value of %s in statusDetails holds a control character.", name)
			}
		}
	}
	return nil
}

// ValidateDetailsCount checks the number of name/value pairs. Over HTTP the model has checked the pairs themselves.
func ValidateDetailsCount(details map[string]string) error {
	if n := len(details); n > MaxStatusDetails {
		return Errorf(ErrInvalidRequest, "statusDetails has %d name/value pairs, the limit is %d.", n, MaxStatusDetails)
	}
	return nil
}

func isDetailName(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == ':', c == '_', c == '-':
		default:
			return false
		}
	}
	return len(s) >= 1 && len(s) <= maxStatusDetailName
}
