package bench

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// startsWithin is how long a service may take to let requests in, and stopsWithin
	// to end when it is asked to; then it is killed.
	startsWithin, stopsWithin = time.Minute, 20 * time.Second
	// lookAgain is the time between two looks whether a service has started.
	lookAgain = time.Millisecond
)

// service is a process that serves the database of a place.
type service struct {
	target
	adminToken, jwtSecret string

	command *exec.Cmd
	input   io.Closer // when it is closed, the process ends
	words   *lastWords
	ended   chan struct{} // closed when the process has ended, with err
	err     error
	// asked says that it was asked to end.
	asked bool
}

// serve starts a service in a place and waits until it lets requests in. took is the
// time from the start of the process to the first answer.
func (r *runner) serve(ctx context.Context, p *place, args ...string) (s *service, took time.Duration, err error) {
	s = &service{
		target:     target{secret: "whsec_" + rand.Text()},
		adminToken: "qk_" + rand.Text(), jwtSecret: rand.Text() + rand.Text(),
		words: &lastWords{}, ended: make(chan struct{}),
	}
	args = slices.Concat(r.Service[1:], []string{"--config", p.emptyConfig()}, args)
	s.command = exec.Command(r.Service[0], args...)
	s.command.Env = append(slices.Clone(r.Environment),
		"DATABASE_URL="+p.url, "QUOTEKIT_SCHEMA="+p.schema, "QUOTEKIT_ADDR=127.0.0.1:0", "QUOTEKIT_LOG_FORMAT=json",
		"STRIPE_WEBHOOK_SECRET="+s.secret, "QUOTEKIT_ADMIN_TOKEN=bench="+s.adminToken, "SUPABASE_JWT_SECRET="+s.jwtSecret)
	s.command.Stderr = s.words
	// An interrupt from the terminal is for us; we tell the service when to end.
	s.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := s.command.StdoutPipe()
	if err == nil {
		s.input, err = s.command.StdinPipe()
	}
	if err != nil {
		return nil, 0, fmt.Errorf("start the service: %w", err)
	}
	began := time.Now()
	if err := s.command.Start(); err != nil {
		return nil, 0, fmt.Errorf("start the service: %w", err)
	}
	p.services = append(p.services, s)
	url := make(chan string, 1)
	go s.wait(out, url)
	if err := s.ready(ctx, url); err != nil {
		return nil, 0, err
	}
	return s, time.Since(began), nil
}

// wait tells the URL that the process prints, and when it has ended.
func (s *service) wait(out io.Reader, url chan<- string) {
	lines := bufio.NewScanner(out)
	if lines.Scan() {
		url <- strings.TrimSpace(lines.Text())
	}
	_, _ = io.Copy(io.Discard, out)
	s.err = s.command.Wait()
	close(s.ended)
}

// ready waits until the service answers.
func (s *service) ready(ctx context.Context, url <-chan string) error {
	ctx, cancel := context.WithTimeout(ctx, startsWithin)
	defer cancel()
	select {
	case s.url = <-url:
	case <-s.ended:
		return errors.New("the service did not start")
	case <-ctx.Done():
		return fmt.Errorf("wait for the service: %w", ctx.Err())
	}
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/readyz", nil)
		if err != nil {
			return fmt.Errorf("wait for the service: %w", err)
		}
		if resp, err := client.Do(req); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-time.After(lookAgain):
		case <-s.ended:
			return errors.New("the service did not start")
		case <-ctx.Done():
			return fmt.Errorf("wait for the service: %w", ctx.Err())
		}
	}
}

// stop asks the service to end as a supervisor does, and kills it if it does not. It
// fails unless the service ended well. Again it does nothing.
func (s *service) stop() error {
	if s.asked {
		return nil
	}
	s.asked = true
	defer func() { _ = s.input.Close() }()
	_ = s.command.Process.Signal(syscall.SIGTERM) // it may be gone already
	select {
	case <-s.ended:
	case <-time.After(stopsWithin):
		_ = s.command.Process.Kill()
		<-s.ended
		return fmt.Errorf("the service had to be killed %s after it was asked to end", stopsWithin)
	}
	if s.err != nil {
		return fmt.Errorf("the service ended with %w", s.err)
	}
	return nil
}

// explain adds to an error that the service has ended by itself, and its last words.
func (s *service) explain(err error) error {
	if err == nil || s.asked {
		return err
	}
	select {
	case <-s.ended:
		return fmt.Errorf("%w; the service ended (%s): %s", err, s.command.ProcessState, s.words)
	default:
		return err
	}
}

// lastWords keeps the end of what is written.
type lastWords struct {
	mu   sync.Mutex
	text []byte
}

const maxLastWords = 2000

// Write implements [io.Writer].
func (w *lastWords) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, b...)
	w.text = w.text[max(0, len(w.text)-maxLastWords):]
	return len(b), nil
}

func (w *lastWords) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.TrimSpace(string(w.text))
}
