// Package application answers end users' questions about the rows of their own
// application: their quotes, clients and items. Changing them is package batch's.
package application
