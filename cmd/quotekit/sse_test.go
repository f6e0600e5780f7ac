package main

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestEventReader(t *testing.T) {
	stream := "retry: 1000\n\n" +
		": a comment\n\n" +
		"id: 1\nevent: progress\ndata: {\"a\":\ndata:1}\n\n" +
		"event: ignored without data\n\n" +
		"data\n\n" +
		"id: 3\r\ndata: crlf\r\nunknown: field\r\n\r\n" +
		"id\ndata:  two spaces\n\n" +
		"id: 9\ndata: cut of"
	for name, r := range map[string]io.Reader{"at once": strings.NewReader(stream), "byte by byte": iotest.OneByteReader(strings.NewReader(stream))} {
		t.Run(name, func(t *testing.T) {
			events := newEventReader(r)
			for _, want := range []serverEvent{
				{"1", "progress", "{\"a\":\n1}"}, {"1", "message", ""}, {"3", "message", "crlf"}, {"", "message", " two spaces"},
			} {
				if got, err := events.next(); got != want || err != nil {
					t.Errorf("got %+v, %v, want %+v", got, err, want)
				}
			}
			if _, err := events.next(); !errors.Is(err, io.EOF) {
				t.Errorf("at the end: %v", err)
			}
		})
	}
}

func TestEventReader_Failures(t *testing.T) {
	cut := errors.New("cut")
	events := newEventReader(io.MultiReader(strings.NewReader("data: 1\n"), iotest.ErrReader(cut)))
	if _, err := events.next(); !errors.Is(err, cut) {
		t.Errorf("cut: %v", err)
	}
	events = newEventReader(strings.NewReader("data: " + strings.Repeat("x", maxEventLine) + "\n\n"))
	if _, err := events.next(); err == nil {
		t.Error("a line without end is read")
	}
}
