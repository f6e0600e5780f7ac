package main

import (
	"context"
	"errors"
	"io"
	"net/http"
)

// handlerTransport answers requests by calling a handler in this process. An
// answer can be read while it is written, so that streams work as over the
// network.
type handlerTransport struct {
	handler http.Handler
}

// RoundTrip implements [http.RoundTripper].
func (t handlerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	in := r.Clone(ctx)
	in.RequestURI = r.URL.RequestURI()
	in.RemoteAddr = "127.0.0.1:0"
	in.Host = r.URL.Host
	if in.Body == nil {
		in.Body = http.NoBody
	}
	reader, writer := io.Pipe()
	a := &answer{header: http.Header{}, started: make(chan struct{}), body: writer}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = writer.CloseWithError(a.serve(t.handler, in)) // never fails
	}()
	<-a.started
	return &http.Response{
		Status: http.StatusText(a.status), StatusCode: a.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.sent, Body: &answerBody{reader, cancel, ended}, ContentLength: -1, Request: r,
	}, nil
}

// answer is what a handler writes to.
type answer struct {
	header  http.Header
	started chan struct{} // closed when status and sent are there
	status  int
	sent    http.Header
	body    *io.PipeWriter
}

// serve calls the handler. An error means that the answer was cut off.
func (a *answer) serve(h http.Handler, r *http.Request) (err error) {
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			err = errors.New("the answer was cut off")
		default:
			panic(v)
		}
		a.WriteHeader(http.StatusOK)
	}()
	h.ServeHTTP(a, r)
	return nil
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status, a.sent = status, a.header.Clone()
		close(a.started)
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// answerBody is the other end. When it is closed, the handler has ended: the
// database may be closed then.
type answerBody struct {
	*io.PipeReader
	cancel context.CancelFunc
	ended  <-chan struct{}
}

func (b *answerBody) Close() error {
	b.cancel()
	err := b.PipeReader.Close()
	<-b.ended
	return err
}
