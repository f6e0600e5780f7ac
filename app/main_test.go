package app_test

import (
	"fmt"
	"os"
	"sync"
	"testing"
)

// childVariable makes the test binary serve a database until it is killed.
const childVariable = "QUOTEKIT_TEST_CHILD"

// notesVariable names a file that takes the notes of the run, since go test
// shows nothing of what passes; see scripts/with-notes.
const notesVariable = "QUOTEKIT_TEST_NOTES"

func TestMain(m *testing.M) {
	if url := os.Getenv(childVariable); url != "" {
		if err := serveChild(url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0) // after a SIGTERM; most children are killed
	}
	code := m.Run()
	if err := endRunLog(); err != nil {
		fmt.Fprintf(os.Stderr, "FAIL: the log of the run:\n%v\n", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

var noteMutex sync.Mutex

// note tells those who started the tests something that is worth knowing also
// if they pass: a figure, or what could not be tried here.
func note(format string, args ...any) {
	noteMutex.Lock()
	defer noteMutex.Unlock()
	text := fmt.Sprintf(format, args...)
	fmt.Fprintln(os.Stderr, text)
	if path := os.Getenv(notesVariable); path != "" {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
		defer func() { _ = f.Close() }()
		_, _ = fmt.Fprintln(f, text)
	}
}
