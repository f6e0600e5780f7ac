// Package operations has the table of bulk operations: operations.go lists
// them, and there is one file for each family. An operation is pure: it reads
// its options, and says what becomes of one row. To add one, add a row to the
// table.
package operations
