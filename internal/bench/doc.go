// Package bench measures this program on this machine and this database, as
// quotekit bench.
//
// The life of a measurement: a [Scenario] asks for a place, which is a throwaway
// database (place.go); starts the service on it, in a process of its own (service.go);
// puts load on it as Stripe and the application would (load.go, sender.go); ends it; and
// looks into the tables whether the effects are there (check.go). Only then are its
// figures worth anything, and it returns them. The place is removed however it ends.
//
// # The place
//
// The database that is configured is never touched. On Postgres a place is a schema
// of its own, quotekit_bench_ and something random, in the configured database: the
// same server, disk and settings. On SQLite it is a folder of such a name beside the
// configured file, on the same disk, with a file in it. Without a configured database
// that folder is in the temporary one. Each scenario has a place of its own, so that
// none depends on what the others have left.
//
// # The service
//
// What is measured is the program itself, as an operator starts it, with secrets made
// up for the run. It inherits nothing of the configuration but what makes it faster or
// slower, so it calls nobody. Its memory and its processor time are read from /proc, so
// they are left out where there is none. The sender is on the same machine and takes
// processors away from it, so figures are of both.
//
// # The load
//
// Whole stories of sample users are told side by side, so many that about ten thousand
// objects are alive at once ([Mix]). In a closed loop a connection sends its next event
// when the last is answered. In an open loop each event has its time, whether or not
// those before it are answered, and what it takes counts from then: a service that
// stops for a second is charged for everybody who would have come.
//
// # Floors
//
// Beside what is measured stands what the disk and the database do without us, in the
// same run and under the same load from others: a floor. A ratio says more than either
// figure, since both move with the machine. Floors are the only SQL outside of package
// store, since they are what somebody would write who had no store; and so is the
// filling of a long past ([History]).
package bench
