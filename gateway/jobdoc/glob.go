package jobdoc

// hole stands in a key for the value of a local placeholder that is not known yet.
// No key holds a NUL character.
const hole = 0

// GlobMatches says whether IAM's pattern matches the whole of text: '*' stands for any
// characters, slashes included, and '?' for one. A NUL in text, which stands for a value
// that is not known yet, is matched by '*' only, so that true holds for every value. It
// allocates nothing.
func GlobMatches[S string | []byte](pattern string, text S) bool {
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
	return c != hole && (pattern == '?' || pattern == c)
}

// globMayMatch says whether some values for the holes in text make pattern match. It
// runs the pattern as an automaton: states[i] is true if pattern[:i] matches what was
// read.
func globMayMatch(pattern string, text []byte) bool {
	states := make([]bool, len(pattern)+1)
	states[0] = true
	for _, c := range text {
		if c != hole {
			states = globStep(pattern, states, func(p byte) bool { return matchesByte(p, c) })
			continue
		}
		// A value has one character or more: step until nothing is added.
		value := func(p byte) bool { return p == '?' || isValueByte(p) }
		states = globStep(pattern, states, value)
		for added := true; added; {
			added = false
			for i, on := range globStep(pattern, states, value) {
				if on && !states[i] {
					states[i], added = true, true
				}
			}
		}
	}
	return globSkipStars(pattern, states)[len(pattern)]
}

// globStep reads one character, given by the bytes of the pattern that match it.
func globStep(pattern string, states []bool, matches func(byte) bool) []bool {
	next := make([]bool, len(states))
	for i, on := range globSkipStars(pattern, states) {
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

// globSkipStars adds the states reached by stars that match nothing.
func globSkipStars(pattern string, states []bool) []bool {
	for i := range len(pattern) {
		if states[i] && pattern[i] == '*' {
			states[i+1] = true
		}
	}
	return states
}
