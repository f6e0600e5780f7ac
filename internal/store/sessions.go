package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/quotekit/quotekit"
)

// The actions of the audit trail that are about sessions.
const (
	AuditLogin  = "dashboard.login"
	AuditLogout = "dashboard.logout"
)

// Session is somebody who is logged in to the pages.
type Session struct {
	// IDHash is what the id hashes to, which only the cookie has.
	IDHash string
	Actor  string
	UserID string // empty for a bearer of an operator token
	Role   string
	// Fingerprint tells whether the token it was opened with is still configured;
	// empty if it was opened with a JWT.
	Fingerprint string
	CreatedAt   time.Time
	LastSeenAt  time.Time
	ExpiresAt   time.Time
}

// OpenSession inserts a session that begins now and ends at the latest at
// s.ExpiresAt, and ends the one that it replaces, if there is one.
func (tx *Tx) OpenSession(ctx context.Context, s Session, replaces string) error {
	const insert = `
INSERT INTO dashboard_sessions (id_hash, actor, user_id, role, fingerprint, created_at, last_seen_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`
	err := tx.run(ctx, insert, s.IDHash, s.Actor, null(s.UserID), s.Role, null(s.Fingerprint), tx.Now, tx.Now, s.ExpiresAt.UTC())
	if err != nil {
		return wrap(err, "open session")
	}
	if replaces == "" {
		return nil
	}
	_, err = tx.RevokeSession(ctx, replaces)
	return err
}

// RevokeSession ends a session. It reports false if it had ended by then.
func (tx *Tx) RevokeSession(ctx context.Context, idHash string) (bool, error) {
	const update = `
UPDATE dashboard_sessions
SET revoked = TRUE
WHERE id_hash = $1 AND NOT revoked AND expires_at > $2`
	result, err := tx.ExecContext(ctx, update, idHash, tx.Now)
	return changedOne(result, err, "revoke session")
}

// Session reads a session that is neither revoked nor expired, nor was last seen
// before an instant. It fails with [quotekit.ENotFound].
func (s *Store) Session(ctx context.Context, idHash string, now, seenAfter time.Time) (Session, error) {
	const query = `
SELECT id_hash, actor, COALESCE(user_id, ''), role, COALESCE(fingerprint, ''), created_at, last_seen_at, expires_at
FROM dashboard_sessions
WHERE id_hash = $1 AND NOT revoked AND expires_at > $2 AND last_seen_at > $3`
	var out Session
	err := s.reader.QueryRowContext(ctx, query, idHash, now.UTC(), seenAfter.UTC()).Scan(&out.IDHash, &out.Actor, &out.UserID,
		&out.Role, &out.Fingerprint, &out.CreatedAt, &out.LastSeenAt, &out.ExpiresAt)
	if errors.Is(err, sql.ErrNoRows) {
		return Session{}, quotekit.Errorf(quotekit.ENotFound, "there is no such session")
	}
	return out, wrap(err, "read session")
}

// TouchSession notes that a session is in use.
func (s *Store) TouchSession(ctx context.Context, idHash string) error {
	const update = `
UPDATE dashboard_sessions
SET last_seen_at = $1
WHERE id_hash = $2 AND last_seen_at < $3`
	return s.WithTx(ctx, func(tx *Tx) error {
		return wrap(tx.run(ctx, update, tx.Now, idHash, tx.Now), "touch session")
	})
}

// CleanSessions deletes sessions that have expired, or were last seen before an
// instant.
func (s *Store) CleanSessions(ctx context.Context, seenBefore time.Time) (deleted int64, err error) {
	const statement = `
DELETE FROM dashboard_sessions
WHERE expires_at <= $1 OR last_seen_at < $2`
	err = s.WithTx(ctx, func(tx *Tx) error {
		result, err := tx.ExecContext(ctx, statement, tx.Now, seenBefore.UTC())
		if err == nil {
			deleted, err = result.RowsAffected()
		}
		return wrap(err, "clean sessions")
	})
	return deleted, err
}
