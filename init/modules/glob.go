package modules

// match reports whether s matches a pattern of modules.alias: * is any text, ? any character, and
// [a-c] or [!a-c] one of a set, as in fnmatch(3) without flags. As in modprobe, - and _ are the
// same character outside a set.
func match(pattern, s string) bool {
	// star and mark are where to take up again when what follows the last * does not match: a
	// shorter match of an earlier * can never help where that fails.
	star, mark := -1, 0
	p, i := 0, 0
	for i < len(s) || p < len(pattern) {
		if p < len(pattern) && pattern[p] == '*' {
			star, mark = p, i
			p++
			continue
		}
		if i < len(s) && p < len(pattern) {
			if n := matchOne(pattern[p:], s[i]); n > 0 {
				p += n
				i++
				continue
			}
		}
		if star < 0 || mark >= len(s) {
			return false
		}
		mark++
		p, i = star+1, mark
	}
	return true
}

// matchOne matches c against the first element of pattern and returns that element's length, or 0.
func matchOne(pattern string, c byte) int {
	switch pattern[0] {
	case '?':
		return 1
	case '[':
		return matchSet(pattern, c)
	case '-', '_':
		if c == '-' || c == '_' {
			return 1
		}
	case c:
		return 1
	}
	return 0
}

// matchSet matches c against the set that pattern begins with. A set that does not end is no
// set: it matches the character [.
func matchSet(pattern string, c byte) int {
	i := 1
	negated := i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^')
	if negated {
		i++
	}
	found := false
	for first := i; i < len(pattern); {
		if pattern[i] == ']' && i > first {
			if found != negated {
				return i + 1
			}
			return 0
		}
		low, high := pattern[i], pattern[i]
		if i+2 < len(pattern) && pattern[i+1] == '-' && pattern[i+2] != ']' {
			high = pattern[i+2]
			i += 2
		}
		i++
		found = found || low <= c && c <= high
	}
	if c == '[' {
		return 1
	}
	return 0
}
