-- +goose Up

-- SQLite has no roles and no row level security, and no table was there before ours, so
-- this table stays empty.
CREATE TABLE quotekit_application_tables (
  name TEXT NOT NULL PRIMARY KEY
);
