# style.gp: what all pictures have in common. A script sets `name`, `width` and `height` (pixels) and
# loads this. `gnuplot -e "format = 'svg'" SCRIPT.gp` draws another kind: png, svg or txt.
if (!exists("format")) { format = "png" }
if (!exists("columns")) { columns = 100 }
if (!exists("rows")) { rows = 30 }
is_text = format eq "txt"
if (format eq "png") { set terminal pngcairo size width,height noenhanced font "sans,11" }
if (format eq "svg") { set terminal svg size width,height noenhanced font "sans,12" background "white" }
if (is_text) { set terminal dumb noenhanced size columns,rows mono }
# The program gives the picture its name itself, when it is whole.
if (!exists("to_stdout")) { set output name.".".format }
set datafile separator ","

# Okabe and Ito's colours, which colour-blind readers can tell apart, the darkest first.
blue = "#0072B2"
vermilion = "#D55E00"
grey = "#AAAAAA"
dark_grey = "#777777"
light_grey = "#CCCCCC"
light_blue = "#B9DCF0"
colours = "#0072B2 #D55E00 #009E73 #CC79A7 #E69F00 #56B4E9 #000000 #F0E442"
colour(i) = word(colours, 1 + (i - 1) % 8)
dashes(i) = 1 + (i - 1) / 8
mark(i) = word("* # o x + @ % = A B C D E F G H", i) # in characters

set tics nomirror
if (!is_text) {
    set grid linetype 1 linecolor rgb "#DDDDDD" linewidth 0.7
    set border 3 linecolor rgb "#444444"
    set style line 1 linecolor rgb blue linewidth 2
    set style line 2 linecolor rgb vermilion linewidth 2
    set style line 3 linecolor rgb grey pointtype 7 pointsize 0.25
}
set key off

# Pictures of several panels: in characters each panel is a picture of its own, below the one before.
begin_panels = 'if (!is_text) { \
        set multiplot; \
        set label 1 heading at screen 0.5, screen (1 - 18.0 / height) center font ",14"; \
        set label 2 subtitle at screen 0.5, screen (1 - 38.0 / height) center font ",10" \
            textcolor rgb "#555555" \
    } else { \
        set title heading."\n".subtitle \
    }'
end_panel = 'unset label 1; unset label 2'
end_panels = 'if (!is_text) { unset multiplot }; unset output'
# A panel from x1 to x2, y1 to y2: shares of the picture.
place(x1, x2, y1, y2) = is_text ? "" : sprintf("set lmargin at screen %g; set rmargin at screen %g; \
    set bmargin at screen %g; set tmargin at screen %g", x1, x2, y1, y2)
# Its title is panel_title. A text is never put together into a command, only used as a variable.
set_panel_title = 'if (is_text) { set title heading."\n".panel_title } \
    else { set title panel_title offset 0, -0.5 }'

# Values over more than a factor of 5 get a logarithmic axis, labelled at 1, 2, 5, 10, …, or, over
# many decades, at the powers of ten. set_x and set_y look at low and high.
is_wide(low, high) = low > 0 && high / low > 5
tics_1_2_5 = ""
tics_1 = ""
do for [decade = -9 : 12] {
    do for [digit in "1 2 5"] {
        tic = sprintf("%s%se%d", decade == -9 && digit eq "1" ? "" : ",", digit, decade)
        tics_1_2_5 = tics_1_2_5.tic
        if (digit eq "1") { tics_1 = tics_1.tic }
    }
}
log_tics(low, high, most) = high / low > most ? tics_1 : tics_1_2_5
set_x = 'if (is_wide(low, high)) { set logscale x; \
             eval "set xtics (".log_tics(low, high, 3e2).")"; set xrange [low / 1.1 : high * 1.1] } \
         else { unset logscale x; set xtics autofreq; set xrange [low : high] }'
set_y = 'if (is_wide(low, high)) { set logscale y; \
             eval "set ytics (".log_tics(low, high, 2e3).")"; set yrange [low / 1.1 : high * 1.1] } \
         else { unset logscale y; set ytics autofreq; set yrange [0 : high * 1.1] }'
# Nothing to draw: an empty panel.
no_panel = 'unset logscale; set xrange [0:1]; set yrange [0:1]; plot -1'
# The range of a latency; one of no time has no place on a logarithmic axis.
low_of(metric) = value(metric."_low") > 0 ? value(metric."_low") \
    : value(metric."_high") > 0 ? value(metric."_high") / 1e4 : 1e-3
high_of(metric) = value(metric."_high") > low_of(metric) ? value(metric."_high") : 2 * low_of(metric)
upper(metric) = metric eq "ttft" ? "TTFT" : metric eq "itl" ? "ITL" : metric eq "tpot" ? "TPOT" : "E2E"
