# gnuplot -c chart.gp DATA SVG: time of a get and of a put against the size of the value.
# Columns of DATA, in µs: size, view, get, get over the socket, memcached get, redis get, put,
# memcached set, redis SET, memcpy. NaN where there is none.
set terminal svg size 960,430 font 'sans-serif,13' background 'white' enhanced
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

set multiplot layout 1,2
set title 'Reading a value: time of a call' font ',15' textcolor rgb '#20242a'
plot ARG1 using 1:6 with linespoints lc rgb redis lw 2 pt 7 ps 0.5 title 'redis GET', \
     ARG1 using 1:5 with linespoints lc rgb memcached lw 2 pt 7 ps 0.5 title 'memcached get', \
     ARG1 using 1:4 with linespoints lc rgb socket lw 2 pt 7 ps 0.5 title 'memstore get, socket only', \
     ARG1 using 1:3 with linespoints lc rgb ours lw 2.5 pt 7 ps 0.6 title 'memstore get', \
     ARG1 using 1:2 with linespoints lc rgb ours lw 2.5 dt 2 pt 6 ps 0.6 title 'memstore view', \
     ARG1 using 1:10 with lines lc rgb bare lw 1.2 dt 3 title 'memcpy'
set title 'Writing a value: time of a call'
plot ARG1 using 1:9 with linespoints lc rgb redis lw 2 pt 7 ps 0.5 title 'redis SET', \
     ARG1 using 1:8 with linespoints lc rgb memcached lw 2 pt 7 ps 0.5 title 'memcached set', \
     ARG1 using 1:7 with linespoints lc rgb ours lw 2.5 pt 7 ps 0.6 title 'memstore put', \
     ARG1 using 1:10 with lines lc rgb bare lw 1.2 dt 3 title 'memcpy'
unset multiplot
