package bench

import (
	"context"
	"time"
)

// measureStart starts the service on a new database, stops it, and starts it again.
func measureStart(ctx context.Context, r *runner) (m Measured, err error) {
	err = inPlace(ctx, r.DatabaseURL, func(p *place) error {
		s, fresh, err := r.serve(ctx, p)
		if err != nil {
			return err
		}
		asked := time.Now()
		if err := s.stop(); err != nil {
			return err
		}
		stopped := time.Since(asked)
		s, again, err := r.serve(ctx, p)
		if err != nil {
			return err
		}
		m.Figures = Figures{
			{"new_database_ms", milliseconds(fresh)},
			{"existing_database_ms", milliseconds(again)},
			{"stop_ms", milliseconds(stopped)},
		}
		m.Figures = append(m.Figures, s.usage().memory()...)
		return s.stop()
	})
	return m, err
}
