package strict

import "regexp"

// Redacted stands where a secret was.
const Redacted = "REDACTED"

// userInfo is user and password in a URL.
var userInfo = regexp.MustCompile(`://[^/\s@]+@`)

// WithoutUser is text with the user and password of each URL in it redacted.
func WithoutUser(text string) string { return userInfo.ReplaceAllString(text, "://"+Redacted+"@") }
