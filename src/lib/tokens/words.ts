const list = (text: string): readonly string[] => text.trim().split(/\s+/)

/** Words that glue English sentences together; the toy model says them more often than others. */
export const FUNCTION_WORDS = list(`
the of and to in is that it for as was with be by on not this are or from at which but have an had they you were their
one all we can has there been if more when will would who so no some them into then than its only other could these
two may do first any my now such like our over also even most after each before under while where how because between
through during both many much those very just about up out what your her his him she he i a me us
`)

/** Frequent content words, and those of this program's own subject; with the words above the whole sampled vocabulary. */
export const CONTENT_WORDS = list(`
time year people way day man thing world life hand part child eye woman place work week case point government company
number group problem fact home water room mother area money story month lot right study book word business issue side
kind head house service friend father power hour game line end member law car city community name president team minute
idea body information back parent face others level office door health person art war history party result change morning
reason research girl guy moment air teacher force education foot boy age policy process music market sense nation plan
college interest death experience effect use class control field development role effort rate heart drug show leader light
voice wife police mind price report decision son view relationship town road arm difference value building action season
society tax director position player record paper space ground form event official matter center couple site project
activity star table need court oil situation cost industry figure street image phone data picture practice piece land
product doctor wall patient worker news test movie north love step program computer language system method model
example answer question letter sentence page list set key state order unit size limit memory cache block token
request response server client engine queue batch stream layer row column index query user file folder path
network packet signal clock second latency throughput percent average median sample error value weight score
graph tree node edge root leaf branch string byte bit buffer array object function variable type class field
test library package module command option default output input source target link address thread process task
morning evening night summer winter spring autumn river mountain forest garden island ocean valley bridge village
harbor station train ship engine wheel window roof floor kitchen bread butter coffee sugar fruit apple orange grain
horse bird fish animal flower stone metal gold silver iron glass wood cloth color sound song dance stage theater
king queen soldier captain farmer merchant artist writer poet scientist engineer teacher student neighbor stranger
say get make go know take see come think look want give find tell ask work seem feel try leave call keep let begin
help talk turn start might move live believe hold bring happen must write provide sit stand lose pay meet include
continue learn lead understand watch follow stop create speak read allow add spend grow open walk win offer remember
consider appear buy wait serve die send expect build stay fall cut reach kill remain suggest raise pass sell require
decide pull return explain hope develop carry break receive agree support hit produce eat cover catch draw choose
cause listen realize close compare describe discuss measure reduce increase improve divide connect count store
load save run print check fill share map copy sort search match merge split join wrap print parse handle manage
good new old great high small large long little own right big different early young important few public bad same able
human local sure clear true whole free real full special easy strong possible political social national general common
poor natural recent simple single private past current final main green blue red black white dark short low deep hot
cold warm cool dry wet hard soft heavy light fast slow quick quiet loud bright rich cheap fresh sweet ready late happy
sad afraid alone asleep proud calm brave gentle honest polite careful useful modern ancient central northern southern
eastern western financial medical legal military economic physical personal serious similar available likely necessary
certain several various entire total average perfect broad narrow wide empty busy safe
again always almost already away together together often never here today tomorrow yesterday soon still later once
perhaps maybe probably usually finally simply really quite rather too well far near down off ago enough less least
however therefore although though until since without within against among across behind beyond above below toward
around along upon inside outside beside despite except instead whether either neither nor yet else every another
something anything nothing everything someone anyone everyone nobody myself himself herself itself themselves
three four five six seven eight nine ten twenty thirty hundred thousand million half double quarter third
made said went came took seen known given found told asked worked seemed felt tried left called kept let began
helped talked turned started moved lived believed held brought happened wrote provided stood lost paid met included
continued learned led understood watched followed stopped created spoke allowed added spent grew opened walked won
offered remembered considered appeared bought waited served died sent expected built stayed fell reached remained
suggested raised passed sold required decided pulled returned explained hoped developed carried broke received agreed
supported produced covered caught drew chose used needed wanted looked showed set put got did does done being having
making going taking seeing coming thinking looking giving finding telling asking working trying leaving calling
keeping beginning helping talking turning starting moving living holding bringing writing providing sitting standing
losing paying meeting including continuing learning leading watching following creating speaking reading adding
years days times things hands parts children eyes women men places weeks cases points companies numbers groups problems
words ideas results systems models tokens blocks requests pages bytes bits files lines names values types cells keys
steps users servers clients threads streams queues layers rows columns samples errors limits costs rates lists
different difference information understanding government development community university international education
environment management performance production population organization relationship opportunity responsibility
application configuration implementation documentation benchmark inference scheduler allocation measurement
temperature pressure energy science nature culture religion philosophy mathematics physics chemistry biology
introduction conclusion chapter section paragraph summary review analysis theory evidence argument opinion
across minutes seconds percent approximately particular particularly especially generally actually certainly
themselves beautiful interesting wonderful dangerous difficult impossible comfortable responsible independent
`)

/** Frequent beginnings, middles and ends, for words that are not in the lists. */
export const FRAGMENTS = list(`
ing tion ment ness able ible ally ious eous less ful ism ist ity ence ance ated ates ating ation ations izes ized
izing ised ising ers est ies ied ier iest ous ive ative ingly edly ward wise ship hood dom ent ant ial ual ical ic
al ed er es en ly or ar re un in im dis mis pre pro con com per sub inter trans super over under anti auto micro multi
tele photo graph gram scope port form spect struct tract ject press duct dict vert mit fer cept ceed cess clude quire
the and for tha ter hat ere ate his con res ver all ons nce ted hin sth wit tio ith oth rom are ect com thi ess
ill our pro ear out rea ain one nte men str eve int ple som ght ang ree age ome und ard own ell ime use ast tur gen
nal ner ack ock ick uck ash ush ish osh ank ink unk ong ung ond ind end and amp imp ump elt olt art ert ort urt
ale ile ole ule ake ike oke uke ame eme ime ome ume ane ene ine une ape ipe ope ase ise ose use ave ive ove
ction ssion sion ture sure ough augh eigh tch dge sch thr shr spl spr scr squ che ght wh qu ph
`)
