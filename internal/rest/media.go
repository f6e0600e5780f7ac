package rest

import (
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// Negotiate finds the media type that the caller prefers among those offered,
// the first one if any will do (RFC 9110, section 12.5.1).
func Negotiate(r *http.Request, offers ...string) (string, error) {
	accept := strings.Join(r.Header.Values("Accept"), ",")
	if strings.TrimSpace(accept) == "" {
		return offers[0], nil
	}
	best, quality := "", 0.0
	for _, offer := range offers {
		if q := qualityOf(accept, offer); q > quality {
			best, quality = offer, q
		}
	}
	if best == "" {
		return "", NewProblem(http.StatusNotAcceptable, "not_acceptable", "This can be had as "+strings.Join(offers, ", ")+".")
	}
	return best, nil
}

// qualityOf is how much the most specific range of an Accept header that fits
// wants a media type, from 0 to 1.
func qualityOf(accept, offer string) float64 {
	kind, _, _ := strings.Cut(offer, "/")
	quality, specific := 0.0, -1
	for _, part := range strings.Split(accept, ",") {
		media, params, err := mime.ParseMediaType(part)
		rank := map[string]int{"*/*": 0, kind + "/*": 1, offer: 2}
		level, fits := rank[media]
		if err != nil || !fits || level <= specific {
			continue
		}
		specific, quality = level, 1
		if q, err := strconv.ParseFloat(params["q"], 64); err == nil {
			quality = q
		}
	}
	return quality
}

var number = regexp.MustCompile(`^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$`)

// Cell keeps a spreadsheet from taking text for a formula (OWASP, CSV injection).
func Cell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) && !number.MatchString(text) {
		return "'" + text
	}
	return text
}
