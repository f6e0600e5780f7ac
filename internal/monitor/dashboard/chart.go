package dashboard

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Chart is a picture of a series, with its words and the table behind it. The
// picture is stretched to the width there is, so it holds no text: the axes are
// text beside it.
type Chart struct {
	ID, Title string
	// Summary says in a sentence what there is to see.
	Summary  string
	From, To time.Time
	Width    int // of the picture's own units; 1 by its height
	Height   int
	// Top, Middle and Bottom are the words of the vertical axis.
	Top, Middle, Bottom string
	// Moments are the words of the horizontal axis, at equal distances.
	Moments []time.Time
	Bars    []Bar
	Lines   []Line
	// Spots are what tells its values when it is pointed at.
	Spots  []Bar
	Series []Series
	Rows   []ChartRow
}

// Series is a row of the legend and a column of the table.
type Series struct {
	Name, Class string
	Line        bool
}

// Bar is a rectangle.
type Bar struct {
	X, Y, W, H string
	Class      string
	Words      string
}

// Line is a path, with gaps where there are no values.
type Line struct{ Path, Class string }

// ChartRow is a row of the table behind a chart.
type ChartRow struct {
	At     time.Time
	Values []string
}

const (
	chartWidth  = 1000
	chartHeight = 160
)

// newChart is a chart of moments at equal distances, as yet without values.
func newChart(id, title string, at []time.Time, from, to time.Time) *Chart {
	c := &Chart{ID: id, Title: title, From: from, To: to, Width: chartWidth, Height: chartHeight}
	for i := range 5 {
		c.Moments = append(c.Moments, from.Add(to.Sub(from)*time.Duration(i)/4))
	}
	for _, t := range at {
		c.Rows = append(c.Rows, ChartRow{At: t})
	}
	return c
}

// stack draws bars of counts on each other. Values has the counts of every series,
// the lowest first.
func (c *Chart) stack(series []Series, values [][]int64) {
	c.Series = series
	var most int64
	for i := range c.Rows {
		var sum int64
		for _, v := range values {
			sum += v[i]
		}
		most = max(most, sum)
	}
	top := niceTop(float64(most))
	c.axis(top, func(f float64) string { return count(int64(f)) })
	step := chartWidth / float64(max(len(c.Rows), 1))
	for i := range c.Rows {
		y := float64(chartHeight)
		var words []string
		for s, v := range values {
			c.Rows[i].Values = append(c.Rows[i].Values, count(v[i]))
			if v[i] <= 0 {
				continue
			}
			// What is there can be seen, however little it is.
			h := max(float64(v[i])/top*chartHeight, 1.5)
			y -= h
			c.Bars = append(c.Bars, Bar{X: coord(float64(i)*step + step*0.06), Y: coord(max(y, 0)), W: coord(step * 0.88), H: coord(h), Class: series[s].Class})
			words = append(words, count(v[i])+" "+series[s].Name)
		}
		if words == nil {
			words = []string{"nothing"}
		}
		c.spot(i, step, words)
	}
}

// lines draws a line for each series; nil is a gap.
func (c *Chart) lines(series []Series, values [][]*float64, words func(any) string) {
	c.Series = series
	most := 0.0
	for _, v := range values {
		for _, f := range v {
			if f != nil {
				most = max(most, *f)
			}
		}
	}
	top := niceTop(most)
	c.axis(top, func(f float64) string { return words(f) })
	step := chartWidth / float64(max(len(c.Rows), 1))
	for s, v := range values {
		var b strings.Builder
		pen := false
		for i, f := range v {
			if f == nil {
				pen = false
				continue
			}
			x, y := coord(float64(i)*step+step/2), coord(chartHeight-*f/top*chartHeight)
			switch {
			case pen:
				b.WriteString("L" + x + " " + y)
			case i+1 >= len(v) || v[i+1] == nil: // alone: a dash, which can be seen
				b.WriteString("M" + coord(float64(i)*step) + " " + y + "h" + coord(step))
			default:
				b.WriteString("M" + x + " " + y)
			}
			pen = true
		}
		if b.Len() > 0 {
			c.Lines = append(c.Lines, Line{b.String(), series[s].Class})
		}
	}
	for i := range c.Rows {
		var told []string
		for s, v := range values {
			c.Rows[i].Values = append(c.Rows[i].Values, words(v[i]))
			if v[i] != nil {
				told = append(told, series[s].Name+" "+words(v[i]))
			}
		}
		if told == nil {
			told = []string{"nothing"}
		}
		c.spot(i, step, told)
	}
}

// Spark is a picture of counts at equal distances, small enough for a cell of a
// table, and said in words.
type Spark struct {
	Words         string
	Width, Height int
	Base          string // where zero is
	Bars          []Bar
}

const (
	sparkWidth  = 96
	sparkHeight = 20
)

// spark draws counts of the hours that begin at from; nil if there are none.
func spark(hourly []int64, from *time.Time) *Spark {
	if len(hourly) == 0 || from == nil {
		return nil
	}
	var sum, most int64
	peak := 0
	for i, n := range hourly {
		if sum += n; n > most {
			most, peak = n, i
		}
	}
	s := &Spark{Width: sparkWidth, Height: sparkHeight, Base: coord(sparkHeight - 0.5), Words: "none failed"}
	if sum == 0 {
		return s
	}
	at := from.Add(time.Duration(peak) * time.Hour)
	s.Words = count(sum) + " failed; most of them, " + count(most) + ", in the hour from " + stamp(at)
	step := float64(sparkWidth) / float64(len(hourly))
	for i, n := range hourly {
		if n > 0 { // what is there can be seen
			h := max(float64(n)/float64(most)*(sparkHeight-1), 1.5)
			s.Bars = append(s.Bars, Bar{X: coord(float64(i)*step + 0.5), Y: coord(sparkHeight - 1 - h), W: coord(step - 1), H: coord(h)})
		}
	}
	return s
}

func (c *Chart) spot(i int, step float64, words []string) {
	c.Spots = append(c.Spots, Bar{
		X: coord(float64(i) * step), Y: "0", W: coord(step), H: strconv.Itoa(chartHeight),
		Words: stamp(c.Rows[i].At) + ": " + strings.Join(words, ", "),
	})
}

func (c *Chart) axis(top float64, words func(float64) string) {
	c.Top, c.Bottom = words(top), "0"
	if top >= 2 {
		c.Middle = words(top / 2)
	}
}

// niceTop is the least of 1, 2, 4, 6, 8 and 10 times a power of ten that is not below v.
func niceTop(v float64) float64 {
	if v <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 4, 6, 8} {
		if v <= m*power {
			return m * power
		}
	}
	return 10 * power
}

func coord(f float64) string {
	return strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(f, 'f', 2, 64), "0"), ".")
}
