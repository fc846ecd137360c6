# gnuplot -c chart.gp DATA SVG: time of a get and of a put against the size of the value, and rates.
# DATA has two sets, with NaN where there is none. The first one's columns, in µs: size, view, get,
# get over the socket, memcached get, redis get, put, memcached set, redis SET, memcpy. The second
# one's, per second: name, memstore, memcached, redis.
set terminal svg size 960,760 font 'sans-serif,13' background 'white' enhanced
set output ARG2

ours = '#1b7f5c'; socket = '#7ec8a9'; memcached = '#d08a1d'; redis = '#c0392b'; bare = '#8a8f98'

set logscale xy
set format y '%h'
set grid ytics lc rgb '#d0d4da' lw 0.8
set border 3 lc rgb '#555b64'
set tics nomirror textcolor rgb '#333840'
set xtics ('16 B' 16, '128 B' 128, '4 KiB' 4096, '64 KiB' 65536, '1 MiB' 1048576, \
    '16 MiB' 16777216)
set ytics ('0.1 µs' 0.1, '1 µs' 1, '10 µs' 10, '100 µs' 100, '1 ms' 1000, '10 ms' 10000, \
    '100 ms' 100000)
set xrange [10:3e7]
set yrange [0.02:2e5]
set key top left reverse Left samplen 2 spacing 1.15 textcolor rgb '#333840'

set multiplot
top = 0.42
set size 0.5,1-top
set origin 0,top
set title 'Reading a value: time of a call' font ',15' textcolor rgb '#20242a'
plot ARG1 index 0 using 1:6 with linespoints lc rgb redis lw 2 pt 7 ps 0.5 title 'redis GET', \
     ARG1 index 0 using 1:5 with linespoints lc rgb memcached lw 2 pt 7 ps 0.5 title 'memcached get', \
     ARG1 index 0 using 1:4 with linespoints lc rgb socket lw 2 pt 7 ps 0.5 title 'memstore get, socket only', \
     ARG1 index 0 using 1:3 with linespoints lc rgb ours lw 2.5 pt 7 ps 0.6 title 'memstore get', \
     ARG1 index 0 using 1:2 with linespoints lc rgb ours lw 2.5 dt 2 pt 6 ps 0.6 title 'memstore view', \
     ARG1 index 0 using 1:10 with lines lc rgb bare lw 1.2 dt 3 title 'memcpy'
set origin 0.5,top
set title 'Writing a value: time of a call'
plot ARG1 index 0 using 1:9 with linespoints lc rgb redis lw 2 pt 7 ps 0.5 title 'redis SET', \
     ARG1 index 0 using 1:8 with linespoints lc rgb memcached lw 2 pt 7 ps 0.5 title 'memcached set', \
     ARG1 index 0 using 1:7 with linespoints lc rgb ours lw 2.5 pt 7 ps 0.6 title 'memstore put', \
     ARG1 index 0 using 1:10 with lines lc rgb bare lw 1.2 dt 3 title 'memcpy'

unset logscale x
set size 1,top
set origin 0,0
set title 'How many in a second'
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.9 noborder
set boxwidth 0.92
set xrange [-0.6:4.6]
set yrange [10:1e8]
set xtics autofreq scale 0
set ytics ('100' 100, '10 k' 1e4, '1 M' 1e6, '100 M' 1e8)
set key top right
rate(n) = n >= 1e6 ? sprintf('%.1f M', n / 1e6) : n >= 1e4 ? sprintf('%.0f k', n / 1e3) : \
    n >= 1e3 ? sprintf('%.1f k', n / 1e3) : sprintf('%.0f', n)
plot ARG1 index 1 using 2:xtic(1) lc rgb ours title 'memstore', \
     '' index 1 using 3 lc rgb memcached title 'memcached', \
     '' index 1 using 4 lc rgb redis title 'redis', \
     '' index 1 using ($0 - 0.25):2:(rate($2)) with labels offset 0,0.6 font ',11' notitle, \
     '' index 1 using ($0):3:(rate($3)) with labels offset 0,0.6 font ',11' notitle, \
     '' index 1 using ($0 + 0.25):4:(rate($4)) with labels offset 0,0.6 font ',11' notitle
unset multiplot
