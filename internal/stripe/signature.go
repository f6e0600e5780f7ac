package stripe

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"
)

// DefaultTolerance is the age up to which Stripe's own libraries accept a
// signature.
const DefaultTolerance = 300 * time.Second

// maxHeader bounds the work a stranger can cause with thousands of v1 pairs.
// Stripe sends one per active secret, about 100 bytes in all.
const maxHeader = 128 << 10

// The reasons for which [VerifySignature] refuses a body.
var (
	// ErrNoSignature means that there is no Stripe-Signature header.
	ErrNoSignature = errors.New("no Stripe-Signature header")
	// ErrMalformedHeader means that the header is not a list of key=value
	// pairs, that its time is no integer, or that it is longer than 128 KiB.
	ErrMalformedHeader = errors.New("malformed Stripe-Signature header")
	// ErrExpired means that the time in the header is missing or too old.
	ErrExpired = errors.New("signature is older than the tolerance")
	// ErrNoMatch means that no v1 signature fits any of the secrets.
	ErrNoMatch = errors.New("no signature matches")
)

// VerifySignature reports whether header, the value of Stripe-Signature, signs
// body with one of the secrets. A secret is used as it is, "whsec_" included.
// It answers as stripe-go does: only v1 counts, the last t wins, the time is
// looked at before the signatures, and a time in the future passes. Tolerance
// zero means zero; a negative tolerance switches the time check off, for tests
// and for replaying recorded requests.
//
// An empty secret is a key like any other here, so configuration must refuse
// it. The error is [ErrNoSignature], [ErrMalformedHeader], [ErrExpired] or
// [ErrNoMatch].
func VerifySignature(body []byte, header string, secrets []string, now time.Time, tolerance time.Duration) error {
	if header == "" {
		return ErrNoSignature
	}
	if len(header) > maxHeader {
		return ErrMalformedHeader
	}
	at, signed, err := readHeader(header)
	if err != nil {
		return err
	}
	if !signed {
		return ErrNoMatch
	}
	if tolerance >= 0 && now.Sub(at) > tolerance {
		return ErrExpired
	}
	macs := make([][]byte, len(secrets))
	for i, secret := range secrets {
		macs[i] = computeMAC(body, secret, at)
	}
	var sig [sha256.Size]byte
	for rest, pair := header, ""; rest != ""; {
		pair, rest, _ = strings.Cut(rest, ",")
		value, ok := strings.CutPrefix(pair, "v1=")
		if !ok || len(value) != 2*sha256.Size {
			continue
		}
		if _, err := hex.Decode(sig[:], []byte(value)); err != nil {
			continue
		}
		for _, mac := range macs {
			if hmac.Equal(mac, sig[:]) {
				return nil
			}
		}
	}
	return ErrNoMatch
}

// SignatureTime returns the time in a header, which is worth nothing unless
// [VerifySignature] has found the signature to be right.
func SignatureTime(header string) (time.Time, bool) {
	if len(header) > maxHeader {
		return time.Time{}, false
	}
	at, _, err := readHeader(header)
	return at, err == nil && !at.IsZero()
}

// Sign returns a Stripe-Signature header for body, as Stripe would send it at t.
func Sign(body []byte, secret string, t time.Time) string {
	return "t=" + strconv.FormatInt(t.Unix(), 10) + ",v1=" + hex.EncodeToString(computeMAC(body, secret, t))
}

// readHeader checks every pair and returns the time (the zero time if there is
// none, which is too old for any tolerance) and whether a v1 in hex is there.
func readHeader(header string) (at time.Time, signed bool, err error) {
	for more := true; more; {
		var pair string
		pair, header, more = strings.Cut(header, ",")
		key, value, ok := strings.Cut(pair, "=")
		if !ok || strings.Contains(value, "=") {
			return at, false, ErrMalformedHeader
		}
		switch key {
		case "t":
			seconds, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return at, false, ErrMalformedHeader
			}
			at = time.Unix(seconds, 0)
		case "v1":
			signed = signed || len(value)%2 == 0 && areHex(value)
		}
	}
	return at, signed, nil
}

func computeMAC(body []byte, secret string, at time.Time) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(strconv.AppendInt(make([]byte, 0, 24), at.Unix(), 10))
	mac.Write([]byte{'.'})
	mac.Write(body) // the body is hashed in place, never copied behind the time
	return mac.Sum(nil)
}
