// Package glob matches IAM's wildcards. It does no I/O and imports nothing of the project.
package glob

// Hole represents, in a text, a value that is not known yet: one or more characters. S3's keys contain no NUL character.
const Hole = 0

// Matches reports whether IAM's pattern matches the whole of text: '*' matches any characters, slashes included, and '?'
// matches one. Only '*' matches a Hole in text, so true holds for every value. It allocates nothing.
func Matches[S string | []byte](pattern string, text S) bool {
	p, t := 0, 0
	star, resume := -1, 0 // the last '*', and where its text ends next time
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p, t
			p++
		case p < len(pattern) && matchesByte(pattern[p], text[t]):
			p++
			t++
		case star >= 0:
			resume++
			p, t = star+1, resume
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

func matchesByte(pattern, c byte) bool {
	return c != Hole && (pattern == '?' || pattern == c)
}

// MayMatch reports whether pattern can match text for some values of its Holes, made of bytes for which inValue is true. It
// runs the pattern as an automaton: states[i] is true if pattern[:i] matches the text read so far.
func MayMatch(pattern string, text []byte, inValue func(byte) bool) bool {
	states := make([]bool, len(pattern)+1)
	states[0] = true
	for _, c := range text {
		if c != Hole {
			states = step(pattern, states, func(p byte) bool { return matchesByte(p, c) })
			continue
		}
		// A value has one or more characters: step until nothing is added.
		value := func(p byte) bool { return p == '?' || inValue(p) }
		states = step(pattern, states, value)
		for added := true; added; {
			added = false
			for i, on := range step(pattern, states, value) {
				if on && !states[i] {
					states[i], added = true, true
				}
			}
		}
	}
	return skipStars(pattern, states)[len(pattern)]
}

// step reads one character, given by the bytes of the pattern that match it.
func step(pattern string, states []bool, matches func(byte) bool) []bool {
	next := make([]bool, len(states))
	for i, on := range skipStars(pattern, states) {
		switch {
		case !on || i == len(pattern):
		case pattern[i] == '*':
			next[i] = true
		case matches(pattern[i]):
			next[i+1] = true
		}
	}
	return next
}

// skipStars adds the states reached by stars that match nothing.
func skipStars(pattern string, states []bool) []bool {
	for i := range len(pattern) {
		if states[i] && pattern[i] == '*' {
			states[i+1] = true
		}
	}
	return states
}
