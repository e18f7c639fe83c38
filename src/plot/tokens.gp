# tokens.gp: when the tokens of some requests came. Run it with `gnuplot tokens.gp` in its directory.
# llmsim replaces this file: keep a changed one under another name.
name = "tokens"
width = 1200
height = 720
load "run.gp"
load "style.gp"

set xrange [0 : *]
set yrange [0 : *]
eval begin_panels
eval place(0.07, 0.69, 0.43, 0.91)
if (!is_text) { set ylabel "tokens so far" offset 1, 0 }
unset xlabel
set key at screen 0.70, 0.91 left top Left reverse samplen 2 title "request: tokens" left
if (is_text) {
    panel_title = "tokens over seconds since the arrival"; eval set_panel_title
    set key default
    set key bottom right
    plot for [i = 1 : n_chosen] "chosen_tokens.csv" index i - 1 skip 1 using 2:1 with points \
        pointtype mark(i) title chosen[i]
} else {
    plot for [i = 1 : n_chosen] "chosen_tokens.csv" index i - 1 skip 1 using 2:1 with lines \
        linewidth 2 linecolor rgb colour(i) dashtype dashes(i) title chosen[i]
}
eval end_panel

eval place(0.07, 0.69, 0.09, 0.36)
set xlabel "time since the arrival (s)"
set key off
low = low_of("chosen")
high = high_of("chosen")
eval set_y
if (is_text) {
    panel_title = "gap since the token before (s)"; eval set_panel_title
    plot for [i = 1 : n_chosen] "chosen_tokens.csv" index i - 1 skip 1 using 2:3 with points \
        pointtype mark(i)
} else {
    set ylabel "gap since the\ntoken before (s)"
    plot for [i = 1 : n_chosen] "chosen_tokens.csv" index i - 1 skip 1 using 2:3 with points \
        pointtype 7 pointsize 0.4 linecolor rgb colour(i)
}
eval end_panels
