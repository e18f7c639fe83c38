# plot_latency.gp: the picture of plot_latency.sh, which prepares the files in `work` and names
# the `picture`. Colours: Okabe and Ito's, which colour-blind readers can tell apart.
blue = "#0072B2"
vermilion = "#D55E00"

load work."/vars.gp"

set terminal pngcairo size 1200,800 noenhanced font "sans,11"
set output picture
set multiplot title heading font "sans,14"
set tics nomirror
set grid linetype 1 linecolor rgb "#DDDDDD" linewidth 0.7
set border 3 linecolor rgb "#444444"
set key off
set ylabel offset 1, 0

# Logarithmic axes are labelled at 1, 2, 5, 10, …, or, over many decades, at the powers of ten.
is_wide(low, high) = high / low > 5
tics_1_2_5 = ""
tics_1 = ""
do for [decade = -9 : 9] {
    do for [digit in "1 2 5"] {
        tic = sprintf("%s%se%d", decade == -9 && digit eq "1" ? "" : ",", digit, decade)
        tics_1_2_5 = tics_1_2_5.tic
        if (digit eq "1") { tics_1 = tics_1.tic }
    }
}
set_x = 'if (is_wide(low, high)) { set logscale x; \
             eval "set xtics (".(high / low > 1e3 ? tics_1 : tics_1_2_5).")" } \
         else { unset logscale x; set xtics autofreq }; \
         set xrange [low / 1.1 : high * 1.1]'
set_y = 'if (is_wide(low, high)) { set logscale y; \
             eval "set ytics (".(high / low > 1e3 ? tics_1 : tics_1_2_5).")" } \
         else { set ytics autofreq }; \
         set yrange [low / 1.1 : high * 1.1]'

# The distribution functions: TTFT on the left, ITL on the right.
set yrange [0:1]
set ytics 0, 0.1, 1
set tmargin at screen 0.88
set bmargin at screen 0.58

set lmargin at screen 0.07
set rmargin at screen 0.49
set xlabel "time to first token, TTFT (s)"
set ylabel "share of requests"
if (ttft_n > 0) {
    set title "TTFT: ".ttft_percentiles
    low = ttft_low
    high = ttft_high
    eval set_x
    plot work."/ttft.cdf" using 1:2 with lines linecolor rgb blue linewidth 2
} else {
    set title "TTFT: no request made a token"
    unset logscale x
    set xrange [0:1]
    plot -1
}

set lmargin at screen 0.56
set rmargin at screen 0.98
set xlabel "time between two tokens of a request, ITL (s)"
set ylabel "share of token gaps"
if (itl_n > 0) {
    set title "ITL: ".itl_percentiles
    low = itl_low
    high = itl_high
    eval set_x
    plot work."/itl.cdf" using 1:2 with lines linecolor rgb blue linewidth 2
} else {
    set title "ITL: the run wrote no tokens.csv, or nothing but first tokens"
    unset logscale x
    set xrange [0:1]
    plot -1
}

# TTFT over time, as wide as both; the legend stands above the data.
set lmargin at screen 0.07
set rmargin at screen 0.98
set tmargin at screen 0.44
set bmargin at screen 0.08
unset logscale x
set xtics autofreq
set xlabel "arrival (".time_unit.")"
set ylabel "TTFT (s)"
if (ttft_n > 0) {
    unset title
    set label "TTFT over time, with median and p99 of sixty spans" at graph 0, 1.06
    set key at graph 1, 1.02 bottom right horizontal samplen 2
    low = ttft_low
    high = ttft_high
    eval set_y
    set xrange [time_low : time_high]
    plot work."/ttft.time" using 1:2 with points pointtype 7 pointsize 0.25 \
             linecolor rgb "#AAAAAA" notitle, \
         NaN with points pointtype 7 pointsize 1 linecolor rgb "#AAAAAA" title "request", \
         work."/ttft.bins" using 1:3 with lines linecolor rgb vermilion linewidth 2 \
             title "p99", \
         work."/ttft.bins" using 1:2 with lines linecolor rgb blue linewidth 2 \
             title "median"
} else {
    set title "TTFT over time: no request made a token"
    unset logscale x
    set xrange [0:1]
    plot -1
}
unset multiplot
