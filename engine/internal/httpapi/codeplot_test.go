package httpapi_test

import (
	"fmt"
	picture "image"
	"image/color"
	"image/png"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

// inked is how many pixels of a plot are not white, by what they are: grey, or
// red, green or blue more than anything else.
type inked struct{ grey, red, green, blue int }

// plot decodes an item that is a plot of so many pixels, and counts its ink.
func plot(t *testing.T, item wire.CodeItem, width, height int) inked {
	t.Helper()
	require.NotContains(t, item, wire.ItemTruncated)
	got, err := png.Decode(strings.NewReader(image(t, item, "image/png")))
	require.NoError(t, err)
	require.Equal(t, picture.Rect(0, 0, width, height), got.Bounds())
	var ink inked
	for y := range height {
		for x := range width {
			c, ok := color.NRGBAModel.Convert(got.At(x, y)).(color.NRGBA)
			require.True(t, ok)
			switch {
			case c.R == 255 && c.G == 255 && c.B == 255:
			case c.R > c.G && c.R > c.B:
				ink.red++
			case c.G > c.R && c.G > c.B:
				ink.green++
			case c.B > c.R && c.B > c.G:
				ink.blue++
			default:
				ink.grey++
			}
		}
	}
	require.Greater(t, ink.grey+ink.red+ink.green+ink.blue, 200, "it is blank")
	return ink
}

func TestRShowsPlots(t *testing.T) {
	c := newCoder(t, "r")
	items := c.shows(t, "plot(1:10, col = 'red', pch = 19)")
	require.Len(t, items, 1)
	require.Equal(t, false, items[0][wire.ItemMain])
	require.Len(t, items[0], 2)
	require.Greater(t, plot(t, items[0], 700, 500).red, 100)

	// Pages come in order, before what the code evaluated to.
	items = c.shows(t, "for (col in c('red', 'green', 'blue')) barplot(1:3, col = col)\nhist(c(1, 2, 2), col = 'red')\nlines(1:2, col = 'blue', lwd = 9)\n6 * 7")
	require.Len(t, items, 5)
	require.Greater(t, plot(t, items[0], 700, 500).red, 10_000)
	require.Greater(t, plot(t, items[1], 700, 500).green, 10_000)
	require.Greater(t, plot(t, items[2], 700, 500).blue, 10_000)
	ink := plot(t, items[3], 700, 500)
	require.Greater(t, ink.red, 10_000)
	require.Greater(t, ink.blue, 500, "what was drawn last is not there")
	require.Equal(t, "[1] 42", items[4]["text/plain"])
	require.Equal(t, true, items[4][wire.ItemMain])

	// Four plots on one page, on a device of the code's size.
	items = c.shows(t, "dev.new(width = 4, height = 3)\npar(mfrow = c(2, 2), mar = c(2, 2, 0, 0))\nfor (i in 1:4) plot(i)\ninvisible(dev.off())")
	require.Len(t, items, 1)
	plot(t, items[0], 400, 300)
	items = c.shows(t, "options(repr.plot.width = 3, repr.plot.height = 2.5, repr.plot.res = 'odd')\nplot(1)")
	plot(t, items[0], 300, 250)
}

func TestRShowsWhatIsDrawnByPrinting(t *testing.T) {
	c := newCoder(t, "r")
	items := c.shows(t, "print.drawing <- function(x, ...) plot(x$at)\nstructure(list(at = 1), class = 'drawing')\n1\nstructure(list(at = 2), class = 'drawing')")
	require.Len(t, items, 2)
	for i, item := range items {
		plot(t, item, 700, 500)
		require.Equal(t, i == 1, item[wire.ItemMain])
	}
	items = c.shows(t, "plot(1)\nprint.quiet <- function(x, ...) 0\nstructure(1, class = 'quiet')")
	require.Len(t, items, 2)
	require.Equal(t, false, items[0][wire.ItemMain], "it was not printed")
	require.Empty(t, items[1]["text/plain"])
	items = c.shows(t, "grid::grid.newpage(); grid::grid.rect(gp = grid::gpar(fill = 'red'))\ngrid::grid.newpage(); grid::grid.lines()")
	require.Len(t, items, 2)
	require.Greater(t, plot(t, items[0], 700, 500).red, 300_000)
}

// TestRPlotsOfOneRun has each run begin without a plot, and an error not take
// away what was drawn.
func TestRPlotsOfOneRun(t *testing.T) {
	c := newCoder(t, "r")
	r := c.run(t, "x <- 5\nplot(x)\nstop('bad')")
	failed(t, r, "simpleError", "bad")
	require.Len(t, r.Results, 1)
	plot(t, r.Results[0].V, 700, 500)
	r = c.run(t, "lines(1:2)")
	failed(t, r, "simpleError", "plot.new has not been called yet")
	require.Empty(t, r.Results)
	require.Equal(t, "[1] 5", mainResult(t, c.run(t, "x")))
	require.Equal(t, `[1] ""`, mainResult(t, c.run(t, "Sys.getenv('AGB_KERNEL_R')")))
	require.Equal(t, "[1] 0", mainResult(t, c.run(t, "length(dir(tempdir())) + length(dev.list()) + file.exists('Rplots.pdf')")))

	items := c.shows(t, "plot(1)\nunlist(parallel::mclapply(1:2, function(i) { plot(i); plot(i); i }, mc.cores = 2))")
	require.Equal(t, "[1] 1 2", items[len(items)-1]["text/plain"], "forks of the interpreter are in the way")

	items = c.shows(t, "c <- paste0 <- print <- function(...) stop('hidden')\nplot(1)\n5")
	require.Equal(t, "[1] 5", items[len(items)-1]["text/plain"], "names of the code are in the way")

	r = c.fresh(t, "plot(1)\nquit(status = 3)")
	failed(t, r, "ExitError", "3")
	require.Len(t, r.Results, 1)
	plot(t, r.Results[0].V, 700, 500)
	r = c.run(t, "plot(1)\nplot(2)\nquit()")
	require.True(t, r.Ended)
	require.Len(t, r.Results, 2)
}

// TestRDrawsToDevicesOfTheCode has what goes to a file not be shown, also when
// the file is finished in another run.
func TestRDrawsToDevicesOfTheCode(t *testing.T) {
	c := newCoder(t, "r")
	items := c.shows(t, "png('f.png', 200, 200); plot(1); off <- dev.off()\npdf('f.pdf'); plot(1); off <- dev.off()\nfile.size('f.png') > 500 && file.size('f.pdf') > 500")
	require.Len(t, items, 1)
	require.Equal(t, "[1] TRUE", items[0]["text/plain"])

	require.Empty(t, c.shows(t, "png('g.png'); plot(1, col = 'red')"))
	require.Len(t, c.shows(t, "dev.new(); plot(2)"), 1)
	items = c.shows(t, "lines(0:2); name <- names(dev.cur()); off <- dev.off(); paste(name, off, file.size('g.png') > 500)")
	require.Len(t, items, 1)
	require.Equal(t, `[1] "png 1 TRUE"`, items[0]["text/plain"])

	items = c.shows(t, "plot(1); off <- dev.copy(pdf, 'h.pdf'); off <- dev.off(); file.size('h.pdf') > 3000")
	require.Len(t, items, 2)
	require.Equal(t, "[1] TRUE", items[1]["text/plain"])
}

// TestRDrawsWithoutPNG takes away what R may have been built without.
func TestRDrawsWithoutPNG(t *testing.T) {
	c := newCoder(t, "r")
	without := func(name string) string {
		return fmt.Sprintf("local({ e <- asNamespace('grDevices'); unlockBinding('%s', e); assign('%s', function(...) stop('no'), e) })\n", name, name)
	}
	items := c.shows(t, without("png")+"plot(1, main = '\"\\\\\\u20ac')\nplot(2)")
	require.Len(t, items, 2)
	for _, item := range items {
		require.Len(t, item, 2)
		require.Contains(t, item["image/svg+xml"], "<?xml")
		require.Contains(t, item["image/svg+xml"], "</svg>")
	}
	items = c.shows(t, without("svg")+"plot(1)\n2")
	require.Len(t, items, 1)
	require.Equal(t, "[1] 2", items[0]["text/plain"])
	items = c.shows(t, "unlink(tempdir(), recursive = TRUE)\nplot(1)\nlines(1)\n3")
	require.Equal(t, "[1] 3", items[0]["text/plain"])
}

// TestRIsInterruptedWhileItDraws has pages be shown as they come, so that there
// is little left to do when the time is over.
func TestRIsInterruptedWhileItDraws(t *testing.T) {
	c := newCoder(t, "r")
	require.Len(t, c.shows(t, "x <- 5\nplot(x)"), 1)
	r := get(t, c.p, c.session, wire.RunCode, wire.RunCodeArgs{Language: "r", TimeoutMS: 2000, Code: "repeat plot(1)"})
	require.True(t, r.TimedOut)
	require.False(t, r.Ended)
	require.NotEmpty(t, r.Results)
	plot(t, r.Results[0].V, 700, 500) // the last may have just begun
	items := c.shows(t, "plot(x)\nx")
	require.Len(t, items, 2)
	plot(t, items[0], 700, 500)
	require.Equal(t, "[1] 5", items[1]["text/plain"])
}
