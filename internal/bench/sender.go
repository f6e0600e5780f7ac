package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// answerWithin is how long a sender waits for an answer. Stripe waits about as long.
const answerWithin = 30 * time.Second

// Sender is a client that costs little beside the service it measures: one
// connection, one request at a time, no goroutine. It is not safe for concurrent use.
type Sender struct {
	conn    net.Conn
	reader  *bufio.Reader
	request bytes.Buffer
	text    []byte
}

// Dial connects to a service, whose address is host:port or http://host:port.
func Dial(address string) (*Sender, error) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(address, "http://"))
	if err != nil {
		return nil, err
	}
	return &Sender{conn: conn, reader: bufio.NewReader(conn)}, nil
}

// Close closes the connection.
func (s *Sender) Close() error { return s.conn.Close() }

// Post posts an event with a Stripe-Signature header, or without one if it is empty,
// and returns the status and the text of the answer. The text is valid until the next
// call. After an error the sender is of no use any more.
func (s *Sender) Post(body []byte, signature string) (status int, text []byte, err error) {
	if err := s.conn.SetDeadline(time.Now().Add(answerWithin)); err != nil {
		return 0, nil, err
	}
	s.request.Reset()
	fmt.Fprintf(&s.request, "POST /webhooks/stripe HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"+
		"Content-Length: %d\r\n", len(body))
	if signature != "" {
		fmt.Fprintf(&s.request, "Stripe-Signature: %s\r\n", signature)
	}
	s.request.WriteString("\r\n")
	s.request.Write(body)
	if _, err := s.conn.Write(s.request.Bytes()); err != nil {
		return 0, nil, err
	}
	return s.read()
}

// read reads an answer just as far as it needs to: ours always have a length.
func (s *Sender) read() (status int, text []byte, err error) {
	length := -1
	for {
		line, err := s.reader.ReadSlice('\n')
		if err != nil {
			return 0, nil, err
		}
		line = bytes.TrimSpace(line)
		if status == 0 {
			if _, err := fmt.Sscanf(string(line), "HTTP/1.1 %d", &status); err != nil {
				return 0, nil, fmt.Errorf("answered %.100q: %w", line, err)
			}
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, nil, err
			}
		}
		if len(line) == 0 {
			break
		}
	}
	if length < 0 {
		return 0, nil, fmt.Errorf("answered %d without a Content-Length", status)
	}
	s.text = slices.Grow(s.text[:0], length)[:length]
	_, err = io.ReadFull(s.reader, s.text)
	return status, s.text, err
}
