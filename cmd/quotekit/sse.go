package main

import (
	"bufio"
	"io"
	"strings"
)

// maxEventLine bounds a line of a stream, in bytes.
const maxEventLine = 1 << 20

// serverEvent is a server-sent event.
type serverEvent struct {
	// id is that of the last event that had one: where to go on after a cut.
	id   string
	name string
	data string
}

// eventReader reads server-sent events (HTML standard, section 9.2). A carriage
// return alone does not end a line: our service ends none with it.
type eventReader struct {
	lines *bufio.Scanner
	id    string
}

func newEventReader(r io.Reader) *eventReader {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxEventLine)
	return &eventReader{lines: lines}
}

// next returns the next event. The error is [io.EOF] where the stream ends; what
// stands there of an event is not one.
func (r *eventReader) next() (serverEvent, error) {
	e := serverEvent{name: "message"}
	var data []string
	for r.lines.Scan() {
		line := r.lines.Text()
		if line == "" {
			if data != nil {
				e.id, e.data = r.id, strings.Join(data, "\n")
				return e, nil
			}
			e.name = "message"
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "id":
			if !strings.Contains(value, "\x00") {
				r.id = value
			}
		case "event":
			e.name = value
		case "data":
			data = append(data, value)
		}
	}
	if err := r.lines.Err(); err != nil {
		return e, err
	}
	return e, io.EOF
}
