package kit

import (
	"image/color"
	"os"
	"path/filepath"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

var (
	oursColor   = color.RGBA{R: 0x1b, G: 0x7f, B: 0x5c, A: 0xff}
	othersColor = color.RGBA{R: 0x8a, G: 0x94, B: 0xa6, A: 0xff}
)

const (
	chartWidth  = 18 * vg.Centimeter
	legendWidth = 5 * vg.Centimeter // of lines, beside them
)

// Draws a table's picture into a folder.
func drawChart(folder string, t *Table) error {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	plotter.DefaultFont = plot.DefaultFont
	picture := plot.New()
	picture.Title.Text = t.Title
	picture.Title.Padding = 0.3 * vg.Centimeter
	picture.BackgroundColor = color.White
	path := filepath.Join(folder, t.Name+".svg")
	if t.Chart.Lines {
		return saveLines(picture, t, path)
	}
	if err := drawBars(picture, t); err != nil {
		return err
	}
	height := vg.Length(len(t.Rows)+3) * 0.8 * vg.Centimeter
	return picture.Save(chartWidth, height, path)
}

func saveLines(picture *plot.Plot, t *Table, path string) error {
	if err := drawLines(picture, t); err != nil {
		return err
	}
	canvas := vgsvg.New(chartWidth, 9*vg.Centimeter)
	legend := picture.Legend
	picture.Legend = plot.NewLegend()
	whole := draw.New(canvas)
	picture.Draw(draw.Crop(whole, 0, -legendWidth, 0, 0))
	legend.Draw(draw.Crop(whole, chartWidth-legendWidth, 0, 0, -vg.Centimeter))
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = canvas.WriteTo(file)
	return err
}

// A bar for each row, the first one on top; one without a figure has none.
func drawBars(picture *plot.Plot, t *Table) error {
	var names []string
	longest := 0.0
	for at := range t.Rows {
		row := t.Rows[len(t.Rows)-1-at]
		names = append(names, row.inChart())
		figure := row.Cells[t.Chart.Column]
		if len(figure) == 0 {
			continue
		}
		_, most := figure.Range()
		longest = max(longest, most)
		if err := drawBar(picture, float64(at), figure, row.Ours); err != nil {
			return err
		}
	}
	picture.X.Label.Text = t.Columns[t.Chart.Column].name()
	picture.X.Min, picture.X.Max = 0, 1.1*longest // with room for the words
	picture.NominalY(names...)
	// Who looks at the picture may have another font than the one it was laid out for.
	picture.Y.Tick.Label.Font.Size = 9
	picture.Y.Padding = 0.6 * vg.Centimeter
	return nil
}

// With the range of the rounds as a line, and the median in words.
func drawBar(picture *plot.Plot, at float64, figure Figure, isOurs bool) error {
	bar, err := plotter.NewBarChart(plotter.Values{figure.Median()}, 0.45*vg.Centimeter)
	if err != nil {
		return err
	}
	bar.Horizontal, bar.XMin, bar.LineStyle.Width = true, at, 0
	bar.Color = othersColor
	if isOurs {
		bar.Color = oursColor
	}
	least, most := figure.Range()
	whisker, err := plotter.NewLine(plotter.XYs{{X: least, Y: at}, {X: most, Y: at}})
	if err != nil {
		return err
	}
	words, err := plotter.NewLabels(plotter.XYLabels{
		XYs: plotter.XYs{{X: most, Y: at}}, Labels: []string{" " + number(figure.Median())}})
	if err != nil {
		return err
	}
	words.TextStyle[0].YAlign = draw.YCenter
	picture.Add(bar, whisker, words)
	return nil
}

// A line for each row, a point for each column.
func drawLines(picture *plot.Plot, t *Table) error {
	for i, row := range t.Rows {
		var points plotter.XYs
		for k, cell := range row.Cells {
			if k < len(t.Chart.X) && len(cell) > 0 {
				points = append(points, plotter.XY{X: t.Chart.X[k], Y: cell.Median()})
			}
		}
		line, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return err
		}
		line.Color, dots.Color = plotutil.Color(i), plotutil.Color(i)
		line.Dashes = plotutil.Dashes(i / len(plotutil.DefaultColors))
		picture.Add(line, dots)
		picture.Legend.Add(row.inChart(), line, dots)
	}
	picture.X.Label.Text, picture.Y.Label.Text = t.Chart.XTitle, t.Chart.YTitle
	picture.X.Scale, picture.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	if t.Chart.Log {
		picture.Y.Scale, picture.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	} else {
		picture.Y.Min = 0
	}
	picture.Legend.Top, picture.Legend.Left = true, true
	picture.Legend.TextStyle.Font.Size = 9
	picture.Legend.XOffs, picture.Legend.Padding = 0.4*vg.Centimeter, 0.1*vg.Centimeter
	return nil
}
