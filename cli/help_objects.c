/* What is told of the commands on objects. */
#include "help.h"

#define CONDITIONS                                                       \
    "      --if-present           only if there is such an object\n"     \
    "      --if-version VERSION   only if the object has this version\n" \
    "      --if-etag ETAG         only if the object has this etag\n"

#define UNMET                                                                                   \
    "A condition that does not hold changes nothing: the exit status is 6, and the version of " \
    "the\n"                                                                                     \
    "object that is there is printed, 0 for none.\n"

const char help_put[] =
    "Usage: memstore put [-t TYPE] [-m NAME=VALUE]… [--ttl TIME] [CONDITION]… KEY [FILE]\n"
    "       memstore put --ephemeral [OPTION]… KEY [FILE] -- COMMAND [ARGUMENT]…\n"
    "       memstore put --recursive [-t TYPE] [-m NAME=VALUE]… [--ttl TIME] [--json] DIR "
    "[PREFIX]\n"
    "\n"
    "Stores FILE (none or -: standard input) under KEY, in one step: others see the old value\n"
    "or the new one, and after an error the old. Type and metadata are replaced as well.\n"
    "\n"
    "  -t, --type TYPE            content type, kept as given; none if not given\n"
    "  -m, --metadata NAME=VALUE  a pair of words to keep with it; as often as you like\n"
    "      --ttl TIME             when so much time has passed, the object is gone: 500ms, 30s,\n"
    "                             5m, 2h, 1d, or 'never'; a plain number is seconds (default:\n"
    "                             the bucket's lifetime)\n"
    "      --if-absent            only if there is no such object\n" CONDITIONS
    "      --ephemeral            run COMMAND, with the object there for as long as it runs; it "
    "is\n"
    "                             gone when COMMAND ends, or memstore, however that ends. Without\n"
    "                             FILE the value is empty: standard input is for COMMAND\n"
    "\n" UNMET "\n"
    "With --recursive, all files in the folder DIR and below, each by itself. The key of each\n"
    "is PREFIX, as it is, and the path below DIR. Links, pipes, sockets and devices are passed\n"
    "over, and empty folders leave no trace. A file that cannot be read keeps no other from being\n"
    "stored; a full store ends it.\n"
    "\n"
    "  -r, --recursive            store the files of a folder\n"
    "      --json                 say in the end what was done\n"
    "\n"
    "Examples:\n"
    "  memstore put report.pdf report.pdf\n"
    "  memstore put --recursive public site/\n"
    "  memstore put -t text/html -m author=ann -m lang=en pages/1 index.html\n"
    "  tar cz src | memstore put backup/src.tar.gz\n"
    "  memstore put --ttl 30m session/17 session.json\n"
    "  memstore put --if-absent leader/id /etc/hostname || echo another leads\n"
    "  memstore put --if-version 17 config config.new\n"
    "  memstore put --ephemeral workers/$$ -- run-the-worker\n"
    "  memstore put -- -odd-key- file\n";

const char help_get[] =
    "Usage: memstore get [--range OFFSET:LENGTH | --if-not-version VERSION] KEY [FILE]\n"
    "       memstore get --recursive [--json] PREFIX DIR\n"
    "\n"
    "Writes the value of KEY to FILE (none or -: standard output). It is one whole value of one\n"
    "moment. FILE changes only when all of it has been written.\n"
    "\n"
    "      --range OFFSET:LENGTH  only these bytes; K, M and G count in 1024s; no LENGTH means\n"
    "                             to the end\n"
    "      --if-not-version VERSION  only if the object has another version than this, which you\n"
    "                             have already; otherwise exit with 6, and write nothing\n"
    "\n"
    "With --recursive, all objects whose keys start with PREFIX, into the folder DIR, which is\n"
    "made if need be: what is behind PREFIX is the path of the file, and its folders are made.\n"
    "Nothing is ever written outside of DIR: keys with '..' or an empty name in them are refused,\n"
    "and links in DIR are not followed. Such a key keeps no other from being written.\n"
    "\n"
    "  -r, --recursive            write many objects to a folder\n"
    "      --json                 say in the end what was done\n"
    "\n"
    "Examples:\n"
    "  memstore get report.pdf /tmp/report.pdf\n"
    "  memstore get --recursive site/ public\n"
    "  memstore get backup/src.tar.gz | tar tz\n"
    "  memstore get --range 0:16 report.pdf | xxd\n"
    "  memstore get --range 1M: video > rest\n";

const char help_exists[] =
    "Usage: memstore exists KEY\n"
    "\n"
    "Prints nothing; the exit status is 0 if there is such a key and 1 if not.\n"
    "\n"
    "Examples:\n"
    "  if memstore exists job/17/done; then echo ready; fi\n"
    "  memstore exists go || memstore put go /dev/null\n";

const char help_rm[] =
    "Usage: memstore rm KEY…\n"
    "       memstore rm [CONDITION]… KEY\n"
    "       memstore rm --recursive [--json] PREFIX\n"
    "       memstore rm --recursive [--json] --all\n"
    "\n"
    "Removes objects; their memory is free at once. A key that is missing does not keep the\n"
    "others from being removed; the exit status is then 1.\n"
    "\n"
    "With --recursive, all objects whose keys start with PREFIX.\n"
    "\n" CONDITIONS "  -r, --recursive            remove by prefix\n"
    "      --all                  every object there is, in place of a prefix\n"
    "      --json                 say in the end what was done\n"
    "\n" UNMET "\n"
    "Examples:\n"
    "  memstore rm greeting report.pdf\n"
    "  memstore rm --recursive tmp/\n";

const char help_ls[] =
    "Usage: memstore ls [-l] [-0] [-n LIMIT] [--json] [PREFIX]\n"
    "\n"
    "Lists the keys that start with PREFIX, in the order of their bytes, as of one moment. On a\n"
    "terminal, bytes that are no text are shown as \\n or \\xNN; elsewhere keys are printed as\n"
    "they are.\n"
    "\n"
    "  -l, --long         size, last change, version and content type before the key\n"
    "  -n, --limit LIMIT  at most so many\n"
    "  -0, --null         end each key with NUL in place of a newline, and never escape it\n"
    "      --json         one JSON array with all that is known; a key that is not UTF-8 is\n"
    "                     null in \"key\" and stands in \"key_base64\"\n"
    "\n"
    "Examples:\n"
    "  memstore ls images/\n"
    "  memstore ls -l -n 20\n"
    "  memstore ls --json | jq -r '.[] | select(.size > 1000000) | .key'\n";

const char help_info[] =
    "Usage: memstore info [--json] KEY\n"
    "\n"
    "Shows size, last change, version, etag, content type and metadata of an object. The etag\n"
    "depends on the value alone: same bytes, same etag. It is no cryptographic hash.\n"
    "\n"
    "      --json  as a JSON object\n"
    "\n"
    "Examples:\n"
    "  memstore info report.pdf\n"
    "  memstore info --json report.pdf | jq -r .etag\n";

const char help_cp[] =
    "Usage: memstore cp [--to-bucket BUCKET] [CONDITION]… SOURCE TARGET\n"
    "\n"
    "Stores the object SOURCE under TARGET as well and replaces what was there. No bytes are\n"
    "copied, but they count again towards the max size.\n"
    "\n"
    "      --to-bucket BUCKET     TARGET is in this bucket; otherwise it is in the same one\n"
    "      --if-absent            only if there is no object TARGET\n" CONDITIONS "\n"
    "These are about TARGET.\n" UNMET "\n"
    "Examples:\n"
    "  memstore cp config config.bak\n"
    "  memstore cp --if-absent template new\n"
    "  memstore cp -b test-17 --to-bucket results report run-17/report\n";

const char help_mv[] =
    "Usage: memstore mv [--to-bucket BUCKET] [CONDITION]… SOURCE TARGET\n"
    "\n"
    "Renames the object SOURCE to TARGET and replaces what was there, in one step: nobody sees\n"
    "both or neither.\n"
    "\n"
    "      --to-bucket BUCKET     TARGET is in this bucket; otherwise it is in the same one\n"
    "      --if-absent            only if there is no object TARGET\n" CONDITIONS "\n"
    "These are about TARGET.\n" UNMET "\n"
    "Examples:\n"
    "  memstore put upload.tmp big.bin && memstore mv upload.tmp upload\n";

const char help_touch[] =
    "Usage: memstore touch [--ttl TIME] [CONDITION]… KEY\n"
    "\n"
    "Gives an object a lifetime that starts now; value, version and last change stay.\n"
    "\n"
    "      --ttl TIME             so long: 500ms, 30s, 5m, 2h, 1d, or 'never'; a plain number is\n"
    "                             seconds (default: the bucket's lifetime)\n" CONDITIONS "\n" UNMET
    "\n"
    "Examples:\n"
    "  memstore touch --ttl 30m session/17      it is in use: half an hour more\n"
    "  memstore touch --ttl never result        keep it\n";

const char help_add[] =
    "Usage: memstore add [CONDITION]… KEY [NUMBER]\n"
    "\n"
    "Adds NUMBER, or 1, to the number that the value of KEY is, in one step, and prints the sum. "
    "The\n"
    "value is decimal text, such as 0 or -12, of 64 bits. If there is no such key, it counts as "
    "0.\n"
    "What is not a number, or would go beyond 64 bits, is refused, and nothing is changed.\n"
    "\n"
    "      --if-absent            only if there is no such object\n" CONDITIONS "\n" UNMET "\n"
    "Examples:\n"
    "  memstore add visits\n"
    "  memstore add stock/screws -12\n"
    "  id=$(memstore add ids)\n";

const char help_url[] =
    "Usage: memstore url KEY\n"
    "\n"
    "Prints memory://KEY. It asks nobody: no daemon is needed, nor such a key. Nothing is\n"
    "percent-encoded.\n"
    "\n"
    "Examples:\n"
    "  memstore url report.pdf\n"
    "  memstore get memory://report.pdf\n";
